//! The sandbox from a client's point of view.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod client;
mod cluster;
mod exec;
mod faults;
mod faults_admin;
mod faults_answers;
mod faults_file;
mod faults_server;
mod faults_writer;
mod frames;
mod jobs;
mod kubectl;
mod ledger;
mod lists;
mod migrations;
mod power;
mod reach;
mod simulation;
mod watches;
mod writes;
