//! A permission that is missing, and the command that grants it.

use std::fmt;

use crate::kafka::authorized_operations::Operation;

/// What a permission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
    /// Every transactional id that begins so.
    TransactionalIds(&'a str),
    /// The cluster itself.
    Cluster,
}

/// What is not granted. Shown as what is missing and what to run.
#[derive(Debug)]
pub struct Missing<'a> {
    /// `bootstrap.servers`, for the command.
    pub bootstrap: &'a str,
    /// At least one.
    pub operations: &'a [Operation],
    /// On what.
    pub resource: Resource<'a>,
}

/// The principal is the broker's word for who we are; a user name may be a secret (I9), and is not shown.
impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, operation) in self.operations.iter().enumerate() {
            write!(f, "{}{operation}", if place == 0 { "" } else { " and " })?;
        }
        let are = if self.operations.len() == 1 { "is" } else { "are" };
        write!(f, " {are} not granted; run: {}", self.command())
    }
}

impl Missing<'_> {
    fn command(&self) -> String {
        let mut command =
            format!("kafka-acls.sh --bootstrap-server {} --add --allow-principal User:NAME", self.bootstrap);
        for operation in self.operations {
            command.push_str(&format!(" --operation {}", operation.command_name()));
        }
        command.push_str(&match self.resource {
            Resource::Topic(name) => format!(" --topic {name}"),
            Resource::Group(name) => format!(" --group {}", quoted(name)),
            Resource::TransactionalIds(prefix) => {
                format!(" --transactional-id {} --resource-pattern-type prefixed", quoted(prefix))
            }
            Resource::Cluster => " --cluster".to_owned(),
        });
        command
    }
}

/// For a shell: topics have no characters that need it, groups may.
fn quoted(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_operations_and_resource() {
        for (operations, resource, end) in [
            (
                &[Operation::Write][..],
                Resource::Topic("okta.system-log"),
                "WRITE is not granted; run: kafka-acls.sh --bootstrap-server b:1 --add --allow-principal User:NAME --operation Write --topic okta.system-log",
            ),
            (
                &[Operation::Read, Operation::Write],
                Resource::Topic("offsets"),
                "READ and WRITE are not granted; run: kafka-acls.sh --bootstrap-server b:1 --add --allow-principal User:NAME --operation Read --operation Write --topic offsets",
            ),
            (&[Operation::Read], Resource::Group("it's a group"), r"--operation Read --group 'it'\''s a group'"),
            (
                &[Operation::Write],
                Resource::TransactionalIds("offsets-"),
                "--operation Write --transactional-id offsets- --resource-pattern-type prefixed",
            ),
            (&[Operation::DescribeConfigs], Resource::Cluster, "--operation DescribeConfigs --cluster"),
        ] {
            let shown = Missing { bootstrap: "b:1", operations, resource }.to_string();
            assert!(shown.ends_with(end), "{shown}");
        }
    }
}
