//! The one integration-test binary: the program as a process, the sandbox, and what is shipped.

mod sandbox;
mod shipping;
