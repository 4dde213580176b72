//! The clock that continues while the computer is suspended.

use std::time::Duration;

/// Reading of that clock, if available. Only differences are meaningful.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
pub fn continuous() -> Option<Duration> {
    #[cfg(not(target_os = "macos"))]
    use rustix::time::ClockId::Boottime as Continuous;
    #[cfg(target_os = "macos")]
    use rustix::time::ClockId::Monotonic as Continuous;
    let time = rustix::time::clock_gettime(Continuous);
    Some(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
}

/// Reading of that clock, if available.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
pub fn continuous() -> Option<Duration> {
    None
}

/// CPU time used by this process so far; `None` if the system does not report it.
pub fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
    }
    #[cfg(not(unix))]
    None
}
