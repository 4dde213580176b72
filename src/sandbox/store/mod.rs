//! The simulated cluster's memory: objects, resource versions, and the log that watches read.
