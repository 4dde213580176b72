//! The binary: calls the library and converts its result into an exit code.

use std::process::ExitCode;

/// Thousands of VMs are millions of small allocations: it takes less time and memory for them than the allocators of
/// glibc and, above all, of musl, with which releases are linked (docs/scale.md). `.cargo/config.toml` sets its options.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    bootstorm::run().into()
}
