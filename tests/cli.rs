//! The integration tests: the programme and the sandbox as users meet them.

mod sandbox;
