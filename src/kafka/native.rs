//! The calls of librdkafka that rdkafka has no word for; unsafe code, see docs/adr/0020.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, NulError};
use std::os::raw::{c_char, c_int};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Room for librdkafka's reason, as its own examples have it.
const REASON_BYTES: usize = 512;

/// Waits for one log line or error of a client that rdkafka itself never polls, as its `AdminClient`, and gives it to the
/// client's context. Without this they pile up in the client's queue, and nobody hears why it reaches no broker.
pub fn serve_event<C: ClientContext>(client: &Client<C>, timeout: Duration) {
    let timeout = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the pointer is of a living client, since `client` is borrowed; librdkafka may be called from any thread.
    // The queue is a reference of our own, given back below, and so is the event, which is looked at before that only.
    unsafe {
        let queue = bindings::rd_kafka_queue_get_main(client.native_ptr());
        let event = bindings::rd_kafka_queue_poll(queue, timeout);
        if !event.is_null() {
            match bindings::rd_kafka_event_type(event) {
                bindings::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut message): (*const c_char, *const c_char) = (ptr::null(), ptr::null());
                    let mut level: c_int = 0;
                    if bindings::rd_kafka_event_log(event, &mut facility, &mut message, &mut level) == 0 {
                        client.context().log(log_level(level), text(facility).trim(), text(message).trim());
                    }
                }
                bindings::RD_KAFKA_EVENT_ERROR => {
                    let code = RDKafkaErrorCode::from(bindings::rd_kafka_event_error(event));
                    let reason = text(bindings::rd_kafka_event_error_string(event));
                    client.context().error(KafkaError::Global(code), reason.trim());
                }
                _ => {}
            }
            bindings::rd_kafka_event_destroy(event);
        }
        bindings::rd_kafka_queue_destroy(queue);
    }
}

/// Ends the wait of whoever polls the client, or that of the next one: without this, a wait that began before the wall
/// clock was set back takes until that time has come again.
pub fn wake<C: ClientContext>(client: &Client<C>) {
    // SAFETY: the pointer is of a living client, since `client` is borrowed; librdkafka may be called from any thread.
    // The queue is a reference of our own, given back at once.
    unsafe {
        let queue = bindings::rd_kafka_queue_get_main(client.native_ptr());
        bindings::rd_kafka_queue_yield(queue);
        bindings::rd_kafka_queue_destroy(queue);
    }
}

/// Gives a client the OAUTHBEARER token that it logs in with from now on; an error is librdkafka's reason, without the token.
///
/// rdkafka's own way has no room for SASL extensions, and never comes to an `AdminClient`.
pub fn set_token<C: ClientContext>(
    client: &Client<C>,
    token: &str,
    principal: &str,
    expires_ms: i64,
    extensions: &[(String, String)],
) -> Result<(), String> {
    let with_nul = |_: NulError| "has a NUL character".to_owned();
    let token = CString::new(token).map_err(with_nul)?;
    let principal = CString::new(principal).map_err(with_nul)?;
    let mut owned = Vec::with_capacity(extensions.len() * 2);
    for (name, value) in extensions {
        owned.push(CString::new(name.as_str()).map_err(with_nul)?);
        owned.push(CString::new(value.as_str()).map_err(with_nul)?);
    }
    let mut pointers: Vec<*const c_char> = owned.iter().map(|text| text.as_ptr()).collect();
    let mut reason = [0 as c_char; REASON_BYTES];
    // SAFETY: the client lives, since it is borrowed; every text lives until the call has returned and is copied in it;
    // the reason is as large as is said, and librdkafka ends it with a NUL.
    unsafe {
        let code = bindings::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            token.as_ptr(),
            expires_ms,
            principal.as_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            reason.as_mut_ptr(),
            reason.len(),
        );
        match RDKafkaErrorCode::from(code) {
            RDKafkaErrorCode::NoError => Ok(()),
            _ => Err(text(reason.as_ptr())),
        }
    }
}

/// syslog's numbers.
fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        ..=0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        7.. => RDKafkaLogLevel::Debug,
    }
}

/// # Safety
/// A text that ends with a NUL, or null.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
