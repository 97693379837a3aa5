//! What a process used, as Linux counts it.

use std::fs;
use std::time::Duration;

/// `VmHWM`: the most memory that the process has held, in KiB.
///
/// Not `ru_maxrss`: that is carried over from the process that forked, which here holds an org of 200 MB.
pub fn peak_memory_kib(pid: impl std::fmt::Display) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts VmHWM");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The CPU time, in user mode and in the kernel, of a living process.
pub fn cpu_of(pid: impl std::fmt::Display) -> Duration {
    cpu(&format!("/proc/{pid}/stat"), 11)
}

/// The CPU time, in user mode and in the kernel, of all children of this process that were waited for.
///
/// A difference of two such times is exactly one child's where exactly one was waited for in between.
pub fn cpu_of_ended_children() -> Duration {
    cpu("/proc/self/stat", 13)
}

/// Two fields of `stat` that stand side by side, as time. The first after the name is 0: `utime` is 11, `cutime` 13.
fn cpu(path: &str, field: usize) -> Duration {
    /// The unit of these fields is a hundredth of a second to any program, whatever the kernel itself counts in.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(path).unwrap();
    // The second field is the name in parentheses, which may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(field).take(2).map(|field| field.parse::<u32>().unwrap());
    TICK * ticks.sum::<u32>()
}
