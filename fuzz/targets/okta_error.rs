#![no_main]

#[path = "../properties/okta_error.rs"]
mod okta_error;

libfuzzer_sys::fuzz_target!(|input: &[u8]| okta_error::check(input));
