//! What this principal may do on a topic or a group, as the broker itself says (KIP-430).
//!
//! rdkafka has no word for it, and there is no other way to know of a missing WRITE before a transaction has failed by it
//! (docs/adr/0028). So this file, as `native`, calls librdkafka's C functions, through the bindings that rdkafka is
//! built on.

#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::fmt;
use std::ptr::NonNull;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::client::{Client, ClientContext};

use crate::clock::Clock;

/// A code of Kafka's protocol, or of librdkafka's own below 0. A number, as the C enum is: librdkafka passes on what a broker
/// says, and a Rust enum of a code that the bindings do not know would be undefined.
type Code = i32;

const NO_ERROR: Code = 0;
const COORDINATOR_LOAD_IN_PROGRESS: Code = 14;
const COORDINATOR_NOT_AVAILABLE: Code = 15;
const NOT_COORDINATOR: Code = 16;
const TOPIC_AUTHORIZATION_FAILED: Code = 29;
const GROUP_AUTHORIZATION_FAILED: Code = 30;
/// Ours: no answer, or one that says nothing.
const NO_ANSWER: Code = -1;

/// What may be done with a resource: those of Kafka's operations that concern us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Read a topic, join a group.
    Read,
    /// Write a topic, use a transactional id.
    Write,
    /// Make it.
    Create,
    /// See that it is there. Kafka's own authorizer implies it where READ or WRITE is allowed.
    Describe,
    /// See its settings.
    DescribeConfigs,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Create, Self::Describe, Self::DescribeConfigs];

    /// As `kafka-acls.sh --operation` takes it; it does not know `DESCRIBE_CONFIGS` (Kafka 4.3.1).
    pub fn command_name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }

    /// Kafka's code for it (org.apache.kafka.common.acl.AclOperation).
    fn code(self) -> i32 {
        match self {
            Self::Read => 3,
            Self::Write => 4,
            Self::Create => 5,
            Self::Describe => 8,
            Self::DescribeConfigs => 10,
        }
    }
}

/// As Kafka's documentation spells it: `DESCRIBE_CONFIGS`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Create => "CREATE",
            Self::Describe => "DESCRIBE",
            Self::DescribeConfigs => "DESCRIBE_CONFIGS",
        })
    }
}

/// What may be done with each resource, by its name. One that is not there, or of which the broker says nothing, is left
/// out; one that may not even be seen has no operation.
pub type Allowed = BTreeMap<String, BTreeSet<Operation>>;

/// What may be done with these topics, by the word of `broker`. Blocks for up to `timeout`.
///
/// Empty where the broker does not answer, or does not know the question (before Kafka 2.3, and the embedded broker).
/// No topic is made by being asked for.
pub fn of_topics<C: ClientContext>(client: &Client<C>, broker: i32, topics: &[&str], timeout: Duration) -> Allowed {
    let names = Names::new(topics);
    let Some(options) =
        Options::new(client, native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, Some(broker), timeout)
    else {
        return Allowed::new();
    };
    let Ok(answer) = ask(client, timeout, |queue| {
        let mut pointers = names.pointers();
        // SAFETY: `pointers` holds `pointers.len()` C strings that `names` keeps alive; they are copied by the call.
        let topics = unsafe { native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()) };
        // SAFETY: the client, the collection, the options and the queue are all alive; librdkafka copies what it needs of
        // them before it returns, and the collection is ours to destroy, once.
        unsafe {
            native::rd_kafka_DescribeTopics(client.native_ptr(), topics, options.0.as_ptr(), queue);
            native::rd_kafka_TopicCollection_destroy(topics);
        }
    }) else {
        return Allowed::new();
    };
    // SAFETY: the event is alive; the result is NULL where the event is none of this kind, and else lives as long.
    let result = unsafe { native::rd_kafka_event_DescribeTopics_result(answer.0.as_ptr()) };
    if result.is_null() {
        return Allowed::new();
    }
    let mut count = 0;
    // SAFETY: `result` is not NULL, and `count` is a valid place for the number.
    let described = unsafe { native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count) };
    // SAFETY: librdkafka gives an array of `count` pointers, each to a description that lives as long as the event.
    let described = unsafe { array(described.cast_const(), count) };
    let one = |&topic: &*const native::rd_kafka_TopicDescription_t| {
        let mut count = 0;
        // SAFETY: `topic` is a description that lives as long as the event; so do its name (a C string, never NULL), its
        // error (or NULL) and its operations (an array of `count`, or NULL).
        let (name, error, operations) = unsafe {
            (
                CStr::from_ptr(native::rd_kafka_TopicDescription_name(topic)),
                native::rd_kafka_TopicDescription_error(topic),
                native::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count),
            )
        };
        // SAFETY: both are as the two lines above say, and live as long as the event.
        let allowed = unsafe { allowed(error, operations, count) };
        allowed.ok().map(|allowed| (name.to_string_lossy().into_owned(), allowed))
    };
    described.iter().filter_map(one).collect()
}

/// What may be done with this consumer group; `None` where the broker does not say. Blocks for up to twice `timeout`.
///
/// A group that nobody is in yet answers as any other. A coordinator that is just taking its place, as on a cluster that
/// never had a group, is asked again.
pub fn of_group<C: ClientContext>(client: &Client<C>, group: &str, timeout: Duration) -> Option<BTreeSet<Operation>> {
    let clock = Clock::new();
    loop {
        match of_group_now(client, group, timeout) {
            Ok(allowed) => return Some(allowed),
            Err(code) if is_passing(code) && clock.elapsed() < timeout => {
                // No event tells of a coordinator, and this thread may block.
                #[allow(clippy::disallowed_methods)]
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(_) => return None,
        }
    }
}

fn is_passing(code: Code) -> bool {
    matches!(code, COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR)
}

fn of_group_now<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Result<BTreeSet<Operation>, Code> {
    let names = Names::new(&[group]);
    // The coordinator is asked, whichever broker it is.
    let question = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let options = Options::new(client, question, None, timeout).ok_or(NO_ANSWER)?;
    let answer = ask(client, timeout, |queue| {
        let mut pointers = names.pointers();
        // SAFETY: client, names, options and queue are alive; librdkafka copies what it needs of them before it returns.
        unsafe {
            native::rd_kafka_DescribeConsumerGroups(
                client.native_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                options.0.as_ptr(),
                queue,
            );
        }
    })?;
    // SAFETY: the event is alive; the result is NULL where the event is none of this kind, and else lives as long.
    let result = unsafe { native::rd_kafka_event_DescribeConsumerGroups_result(answer.0.as_ptr()) };
    if result.is_null() {
        return Err(NO_ANSWER);
    }
    let mut count = 0;
    // SAFETY: `result` is not NULL, and `count` is a valid place for the number.
    let described = unsafe { native::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count) };
    // SAFETY: librdkafka gives an array of `count` pointers, each to a description that lives as long as the event.
    let group = *unsafe { array(described.cast_const(), count) }.first().ok_or(NO_ANSWER)?;
    // SAFETY: `group` is a description that lives as long as the event; so do its error (or NULL) and its operations (an
    // array of `count`, or NULL).
    unsafe {
        let error = native::rd_kafka_ConsumerGroupDescription_error(group);
        let operations = native::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        allowed(error, operations, count)
    }
}

/// Reads one answer: refused is to be allowed nothing, and no operations at all (NULL) is no answer.
///
/// # Safety
/// `error` is NULL or an error of librdkafka's; `operations` is NULL or an array of `count`.
unsafe fn allowed(
    error: *const native::rd_kafka_error_t,
    operations: *const native::rd_kafka_AclOperation_t,
    count: usize,
) -> Result<BTreeSet<Operation>, Code> {
    // SAFETY: the caller's promise; librdkafka takes NULL for "no error" here.
    match unsafe { as_numbers::rd_kafka_error_code(error) } {
        NO_ERROR => {}
        TOPIC_AUTHORIZATION_FAILED | GROUP_AUTHORIZATION_FAILED => return Ok(BTreeSet::new()),
        code => return Err(code),
    }
    if operations.is_null() {
        return Err(NO_ANSWER);
    }
    // Read as numbers, which a C enum is: a Rust enum of a value that Rust does not know would be undefined.
    // SAFETY: the caller's promise; the enum is `repr(u32)`.
    let codes = unsafe { array(operations.cast::<u32>(), count) };
    let is_in = |operation: &Operation| codes.iter().any(|&code| i32::try_from(code) == Ok(operation.code()));
    Ok(Operation::ALL.into_iter().filter(is_in).collect())
}

/// A C array as a slice; one of no elements may be NULL or point nowhere.
///
/// # Safety
/// `pointer` is an array of `count` that nobody changes for as long as the slice is used.
unsafe fn array<'a, T>(pointer: *const T, count: usize) -> &'a [T] {
    if pointer.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(pointer, count) }
}

/// Sends a question whose answer comes to a queue of its own, and waits for it.
fn ask<C: ClientContext>(
    client: &Client<C>,
    timeout: Duration,
    send: impl FnOnce(*mut native::rd_kafka_queue_t),
) -> Result<Event, Code> {
    // librdkafka itself answers at the request's time-out; this is for the case that it does not.
    const MARGIN: Duration = Duration::from_secs(1);
    // SAFETY: the client is alive for as long as the queue, which does not leave this function.
    let queue = Queue(NonNull::new(unsafe { native::rd_kafka_queue_new(client.native_ptr()) }).ok_or(NO_ANSWER)?);
    send(queue.0.as_ptr());
    // SAFETY: the queue is alive; the event, or NULL, is ours to destroy.
    let event = unsafe { native::rd_kafka_queue_poll(queue.0.as_ptr(), milliseconds(timeout + MARGIN)) };
    let event = Event(NonNull::new(event).ok_or(NO_ANSWER)?);
    // SAFETY: the event is alive.
    let code = unsafe { as_numbers::rd_kafka_event_error(event.0.as_ptr()) };
    if code == NO_ERROR { Ok(event) } else { Err(code) }
}

/// See [`Code`].
mod as_numbers {
    use super::native::{rd_kafka_error_t, rd_kafka_event_t};

    // SAFETY: as rdkafka.h declares them.
    unsafe extern "C" {
        pub(super) fn rd_kafka_error_code(error: *const rd_kafka_error_t) -> i32;
        pub(super) fn rd_kafka_event_error(event: *mut rd_kafka_event_t) -> i32;
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// C strings, and the array of pointers that C takes them by.
struct Names(Vec<CString>);

impl Names {
    /// A name with a NUL, which no topic and no group can have, is left out.
    fn new(names: &[&str]) -> Self {
        // librdkafka refuses the whole question where a name is in it twice.
        let names: BTreeSet<&str> = names.iter().copied().collect();
        Self(names.into_iter().filter_map(|name| CString::new(name).ok()).collect())
    }

    fn pointers(&self) -> Vec<*const std::ffi::c_char> {
        self.0.iter().map(|name| name.as_ptr()).collect()
    }
}

/// Where an answer comes to.
struct Queue(NonNull<native::rd_kafka_queue_t>);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_queue_new` and destroyed once; a late answer is dropped by librdkafka.
        unsafe { native::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// An answer, and all that its parts point into.
struct Event(NonNull<native::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: polled from a queue, so ours, and destroyed once; nothing that points into it outlives it.
        unsafe { native::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// Options of a question: within `timeout`, with the operations.
struct Options(NonNull<native::rd_kafka_AdminOptions_t>);

impl Options {
    fn new<C: ClientContext>(
        client: &Client<C>,
        question: native::rd_kafka_admin_op_t,
        broker: Option<i32>,
        timeout: Duration,
    ) -> Option<Self> {
        // SAFETY: the client is alive, and the options do not outlive it.
        let options = NonNull::new(unsafe { native::rd_kafka_AdminOptions_new(client.native_ptr(), question) })?;
        let options = Self(options);
        let mut text = [0; 256];
        // SAFETY: the options are alive and `text` is a buffer of the given length. An error object, or NULL, is ours to
        // destroy, and librdkafka takes NULL there.
        unsafe {
            let error = native::rd_kafka_AdminOptions_set_include_authorized_operations(options.0.as_ptr(), 1);
            let taken = error.is_null();
            if !taken {
                native::rd_kafka_error_destroy(error);
                return None;
            }
            let ok = native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            let (place, length) = (text.as_mut_ptr(), text.len());
            let limit = milliseconds(timeout);
            if native::rd_kafka_AdminOptions_set_request_timeout(options.0.as_ptr(), limit, place, length) != ok {
                return None;
            }
            if let Some(broker) = broker
                && native::rd_kafka_AdminOptions_set_broker(options.0.as_ptr(), broker, place, length) != ok
            {
                return None;
            }
        }
        Some(options)
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_AdminOptions_new` and destroyed once.
        unsafe { native::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}
