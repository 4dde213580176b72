//! The HTTPS server: what `kubectl` and every other client of the simulated cluster talks to.

mod accept;
mod access;
mod account;
mod admin;
mod admission;
mod answer;
mod body;
mod call;
mod certificate;
mod deletion;
mod discovery;
mod driver;
mod eviction;
mod exec;
mod hand;
mod kubeconfig;
mod openapi;
mod paging;
mod patch;
mod path;
mod pipeline;
mod power;
mod protobuf;
mod query;
mod rbac;
mod selector;
mod server;
mod status;
mod streams;
mod struck;
mod table;
mod token;
mod watching;
mod write;

pub(crate) use self::power::KUBEVIRT_VERSION;
pub use self::server::{Local, Running, Server, ServerOptions, StartError};
