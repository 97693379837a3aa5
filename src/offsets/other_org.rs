//! A connector whose org was changed: its name is stored under another one.

use thiserror::Error;

use super::codec;
use super::fold::OffsetFold;
use crate::okta::excerpt::excerpt;
use crate::source::offset::SourcePartition;

/// The offsets topic holds a connector's name under another org, and not under its own.
///
/// Its position is another log's, and a name that means two orgs one after the other would mix what is measured and stored under
/// it; so nobody goes on by chance.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the org of connector `{connector}` changed: the offsets topic holds its checkpoint of {stored}, and none of `{org}`; \
     put the old org back, give this connector another `name`, or delete the old checkpoint with `offsets reset {connector}`"
)]
pub struct OrgChanged {
    /// The connector.
    pub connector: String,
    /// The orgs under which its name is stored, as the message shows them.
    pub stored: String,
    /// The org of the configuration.
    pub org: String,
}

/// Whether a cold start of this connector would leave a checkpoint of another org behind. `fold` is of all partitions, since the
/// org decides which of them it is; what is deleted is not in it.
pub fn judge(fold: &OffsetFold, connector: &str, own: &SourcePartition) -> Result<(), OrgChanged> {
    let named = |key: &[u8]| codec::decode_key(key).ok().filter(|(name, _)| name == connector).map(|(_, of)| of);
    let stored: Vec<SourcePartition> = fold.iter().filter_map(|(key, ..)| named(key)).collect();
    if stored.is_empty() || stored.contains(own) {
        return Ok(());
    }
    let stored: Vec<String> = stored.iter().map(|partition| format!("`{}`", excerpt(&partition.org))).collect();
    Err(OrgChanged { connector: connector.to_owned(), stored: stored.join(", "), org: own.org.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::fold::LogPosition;

    fn partition(org: &str) -> SourcePartition {
        SourcePartition { org: org.to_owned() }
    }

    #[test]
    fn a_name_under_another_org_is_refused_and_what_is_deleted_is_not_there() {
        let own = partition("new.okta.com");
        for (records, refused) in [
            (&[][..], None),
            (&[("other", "old.okta.com", true)], None),
            (&[("acme", "new.okta.com", true)], None),
            (&[("acme", "old.okta.com", true)], Some("`old.okta.com`")),
            (&[("acme", "old.okta.com", true), ("acme", "old.okta.com", false)], None),
            (&[("acme", "old.okta.com", true), ("acme", "new.okta.com", true)], None),
            (&[("acme", "a.okta.com", true), ("acme", "b.okta.com", true)], Some("`a.okta.com`, `b.okta.com`")),
        ] {
            let mut fold = OffsetFold::default();
            for (offset, (name, org, value)) in (0..).zip(records) {
                let key = codec::encode_key(name, &partition(org));
                let value = value.then_some(&b"{}"[..]);
                fold.apply(Some(&key), value, LogPosition { partition: 0, offset, timestamp: None });
            }
            let found = judge(&fold, "acme", &own);
            assert_eq!(found.as_ref().err().map(|changed| changed.stored.as_str()), refused, "{records:?}");
            if let Err(changed) = found {
                let says = changed.to_string();
                let parts = ["connector `acme`", "none of `new.okta.com`", "another `name`", "`offsets reset acme`"];
                assert!(parts.iter().all(|part| says.contains(part)), "{says}");
            }
        }
    }
}
