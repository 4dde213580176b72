//! The clock that goes on while the computer is suspended.

use std::time::Duration;

/// What that clock shows, where there is one. Only differences mean anything.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
pub fn continuous() -> Option<Duration> {
    #[cfg(not(target_os = "macos"))]
    use rustix::time::ClockId::Boottime as Continuous;
    #[cfg(target_os = "macos")]
    use rustix::time::ClockId::Monotonic as Continuous;
    let time = rustix::time::clock_gettime(Continuous);
    Some(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
}

/// What that clock shows, where there is one.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
pub fn continuous() -> Option<Duration> {
    None
}

/// The processor time that this process has taken so far; `None` where the system does not tell.
pub fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
    }
    #[cfg(not(unix))]
    None
}
