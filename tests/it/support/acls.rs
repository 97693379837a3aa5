//! ACLs, which librdkafka's Rust binding has no word for, asked for on the wire.
//!
//! Source: the Kafka protocol guide, "CreateAcls (Key: 30)", version 1, which has no compact strings.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::kafka_wire::read_frame;

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

/// Lets `user` do all this, at a broker that lets the caller change ACLs. Panics where the broker refuses one.
pub fn grant(bootstrap: &str, user: &str, permissions: &[Permission<'_>]) {
    let mut request = Vec::new();
    request.extend(CREATE_ACLS.to_be_bytes());
    request.extend(VERSION.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    string(&mut request, "acls");
    request.extend(i32::try_from(permissions.len()).unwrap().to_be_bytes());
    for (resource, operation) in permissions {
        let (kind, name, pattern) = match resource {
            Resource::Topic(name) => (2, *name, LITERAL),
            Resource::Group(name) => (3, *name, LITERAL),
            Resource::TransactionalIdPrefix(prefix) => (5, *prefix, PREFIXED),
        };
        request.push(kind);
        string(&mut request, name);
        request.extend(pattern.to_be_bytes());
        string(&mut request, &format!("User:{user}"));
        string(&mut request, "*");
        request.push(*operation as u8);
        request.extend(ALLOW.to_be_bytes());
    }
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(&i32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let answer = read_frame(&mut stream).unwrap().expect("the broker answers");
    // Length, correlation id, throttle time and count; then an error code and a message, empty or null, for each.
    let is_granted = |result: &[u8]| matches!(result, [0, 0, 0, 0] | [0, 0, 0xff, 0xff]);
    let results = answer[16..].chunks(4);
    let granted = results.len() == permissions.len() && results.into_iter().all(is_granted);
    assert!(granted, "not granted: {}", String::from_utf8_lossy(&answer[16..]));
}

fn string(request: &mut Vec<u8>, text: &str) {
    request.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    request.extend(text.as_bytes());
}
