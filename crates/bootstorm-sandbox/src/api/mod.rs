//! The HTTPS server for `kubectl` and every other client of the simulated cluster.

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
mod fault_injection;
mod kubeconfig;
mod logs;
mod openapi;
mod paging;
mod patch;
mod path;
mod payload;
mod pipeline;
mod power;
mod protobuf;
mod query;
mod rbac;
mod selector;
mod server;
mod server_faults;
mod shared;
mod status;
mod streams;
mod table;
mod token;
mod watching;
mod write;

pub(crate) use self::power::KUBEVIRT_VERSION;
#[cfg(test)]
pub(crate) use self::protobuf::{object as from_protobuf, opened, whole as to_protobuf};
pub use self::server::{Local, Running, Server, ServerOptions, StartError};
