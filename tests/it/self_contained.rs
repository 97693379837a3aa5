//! The shipped binary needs nothing but the C library: it can be copied to a machine and run.

use std::path::Path;
use std::process::Command;

/// What every glibc Linux has; librdkafka, TLS and the compression libraries are inside the binary.
const ALLOWED: [&str; 5] = ["linux-vdso.so", "libc.so", "libm.so", "libgcc_s.so", "ld-linux"];

#[test]
#[cfg(target_os = "linux")]
fn the_binary_links_the_c_library_only() {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_okta-kafka-source")).output().expect("ldd is there");
    let listing = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{listing}");
    // A line is `libc.so.6 => /lib/libc.so.6 (0x…)`, or the loader's own path.
    let needed: Vec<_> = listing.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(needed.iter().any(|library| library.starts_with("libc.so")), "not what ldd prints: {listing}");
    let name = |library: &str| Path::new(library).file_name().unwrap().to_string_lossy().into_owned();
    let others: Vec<_> = needed
        .iter()
        .map(|library| name(library))
        .filter(|library| !ALLOWED.iter().any(|allowed| library.starts_with(allowed)))
        .collect();
    assert!(others.is_empty(), "the binary needs {others:?}:\n{listing}");
}
