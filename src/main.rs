//! The binary: calls the library and converts its result into an exit code.

use std::process::ExitCode;

/// Thousands of VMs mean millions of small allocations, for which jemalloc takes less time and memory than the allocator
/// of glibc (docs/scale.md). `.cargo/config.toml` sets its options.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    bootstorm::run().into()
}
