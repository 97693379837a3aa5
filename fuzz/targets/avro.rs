#![no_main]

#[path = "../properties/avro.rs"]
mod avro;
#[allow(dead_code, reason = "tests/it uses more of it")]
#[path = "../../tests/it/support/law/mod.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|input: &[u8]| avro::check(input));
