//! The binary: calls the library and converts its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    bootstorm::run().into()
}
