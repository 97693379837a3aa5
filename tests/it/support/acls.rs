//! ACLs, which librdkafka's Rust binding has no word for, asked for on the wire.
//!
//! Source: the Kafka protocol guide, "DescribeAcls (Key: 29)" and "CreateAcls (Key: 30)", version 1, which has no compact strings.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::kafka_wire::read_frame;

const DESCRIBE_ACLS: i16 = 29;
const CREATE_ACLS: i16 = 30;
const VERSION: i16 = 1;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Kafka's codes, from `org.apache.kafka.common.resource.ResourceType` and `org.apache.kafka.common.acl`.
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const ALLOW: i8 = 3;

/// What an ACL is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    Topic(&'a str),
    Group(&'a str),
    /// Every transactional id that begins so.
    TransactionalIdPrefix(&'a str),
    Cluster,
}

impl<'a> Resource<'a> {
    /// Its type, its name, and how that is to be taken, as the protocol has them.
    fn pattern(self) -> (u8, &'a str, i8) {
        match self {
            Resource::Topic(name) => (2, name, LITERAL),
            Resource::Group(name) => (3, name, LITERAL),
            Resource::TransactionalIdPrefix(prefix) => (5, prefix, PREFIXED),
            Resource::Cluster => (4, "kafka-cluster", LITERAL),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Describe = 8,
    DescribeConfigs = 10,
}

/// A resource, and what may be done with it.
pub type Permission<'a> = (Resource<'a>, Operation);

impl Operation {
    /// As `kafka-acls.sh --operation` takes it, and in no other way.
    fn command_name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }

    /// As Kafka's documentation and the program's messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Create => "CREATE",
            Self::Describe => "DESCRIBE",
            Self::DescribeConfigs => "DESCRIBE_CONFIGS",
        }
    }
}

/// What a command line of `kafka-acls.sh --add` grants to `User:NAME`: each operation on each resource. Panics at what
/// it does not know, so that a command that would not do what it says is not taken for one that does.
pub fn granted_by(command: &str) -> Vec<Permission<'_>> {
    use Operation::{Create, Describe, DescribeConfigs, Read, Write};
    let (mut operations, mut resources) = (Vec::new(), Vec::new());
    let is_prefixed = command.contains("--resource-pattern-type prefixed");
    let mut words = command.split_whitespace();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("`{word}` without a value: {command}"));
        match word {
            "--add" => {}
            "--bootstrap-server" | "--command-config" | "--resource-pattern-type" => drop(value()),
            "--allow-principal" => assert_eq!(value(), "User:NAME", "{command}"),
            "--operation" => {
                let name = value();
                let known = [Read, Write, Create, Describe, DescribeConfigs];
                let operation = known.into_iter().find(|operation| operation.command_name() == name);
                operations.push(operation.unwrap_or_else(|| panic!("operation {name}: {command}")));
            }
            "--topic" => resources.push(Resource::Topic(value())),
            "--group" => resources.push(Resource::Group(value())),
            "--transactional-id" => {
                assert!(is_prefixed, "{command}");
                resources.push(Resource::TransactionalIdPrefix(value()));
            }
            "--cluster" => resources.push(Resource::Cluster),
            other => panic!("`{other}` is not known: {command}"),
        }
    }
    let is_topic = |resource: &Resource<'_>| matches!(resource, Resource::Topic(_));
    assert!(!is_prefixed || !resources.iter().any(is_topic), "topics by prefix: {command}");
    resources.iter().flat_map(|resource| operations.iter().map(|operation| (*resource, *operation))).collect()
}

/// The commands of README's section "Permissions", from after the function that they call.
pub fn readme_commands() -> Vec<&'static str> {
    const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let section = README.split("### Permissions").nth(1).expect("the section");
    let block = section.split("```").nth(1).expect("its commands");
    let definition = block.lines().find(|line| line.starts_with("acl() {")).expect("the function");
    let _ = granted_by(definition.split("kafka-acls.sh ").nth(1).unwrap().split(" \"$@\"").next().unwrap());
    block.lines().filter_map(|line| line.strip_prefix("acl ")).collect()
}

/// Lets `user` do all this, at a broker that lets the caller change ACLs, and waits until that holds there. Panics where
/// the broker refuses one.
pub fn grant(bootstrap: &str, user: &str, permissions: &[Permission<'_>]) {
    let principal = format!("User:{user}");
    let mut request = header(CREATE_ACLS);
    request.extend(i32::try_from(permissions.len()).unwrap().to_be_bytes());
    for (resource, operation) in permissions {
        allowed(&mut request, &principal, resource, *operation);
    }
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let answer = ask(&mut stream, &request);
    // Length, correlation id, throttle time and count; then an error code and a message, empty or null, for each.
    let is_granted = |result: &[u8]| matches!(result, [0, 0, 0, 0] | [0, 0, 0xff, 0xff]);
    let results = answer[16..].chunks(4);
    let granted = results.len() == permissions.len() && results.into_iter().all(is_granted);
    assert!(granted, "not granted: {}", String::from_utf8_lossy(&answer[16..]));

    // The controller has them; the broker hears of them a little later, and in no order.
    let deadline = Instant::now() + TIMEOUT;
    for (resource, operation) in permissions {
        let mut request = header(DESCRIBE_ACLS);
        allowed(&mut request, &principal, resource, *operation);
        // Length, correlation id, throttle time, error code, a message, empty or null, and the count.
        while ask(&mut stream, &request)[16..] == [0, 0, 0, 0] {
            assert!(Instant::now() < deadline, "{permissions:?} do not come to hold");
            // Nobody tells; the answer takes a millisecond.
            std::thread::yield_now();
        }
    }
}

/// One permission, which both requests spell in the same way.
fn allowed(request: &mut Vec<u8>, principal: &str, resource: &Resource<'_>, operation: Operation) {
    let (kind, name, pattern) = resource.pattern();
    request.push(kind);
    string(request, name);
    request.extend(pattern.to_be_bytes());
    string(request, principal);
    string(request, "*");
    request.push(operation as u8);
    request.extend(ALLOW.to_be_bytes());
}

fn header(key: i16) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(VERSION.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    string(&mut request, "acls");
    request
}

fn ask(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
    stream.write_all(&i32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(request).unwrap();
    read_frame(stream).unwrap().expect("the broker answers")
}

fn string(request: &mut Vec<u8>, text: &str) {
    request.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    request.extend(text.as_bytes());
}
