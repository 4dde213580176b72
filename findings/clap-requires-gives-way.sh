#!/usr/bin/env bash
# Package: clap 4.6.7 (crates.io), derive API.
#
# Behaviour: `requires` is not enforced if the required flag conflicts with another flag that is given. The dependent flag
# is accepted, and has no effect.
#
# Seen, with `--selector` requiring `--adopt`, and `--adopt` conflicting with `--end`: `--selector a` is refused for lack
# of `--adopt`; `--selector a --end 2` is accepted.
#
# Guess that misses: more flags on the command line never remove a requirement; the combination is refused for lack of
# `--adopt`, or for the conflict.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "flags"
version = "0.0.0"
edition = "2024"

[dependencies]
clap = { version = "=4.6.7", features = ["derive"] }
TOML
cat > src/main.rs <<'RUST'
use clap::Parser;

#[derive(Debug, Parser)]
struct Flags {
    #[arg(long, conflicts_with = "end")]
    adopt: bool,
    #[arg(long, requires = "adopt")]
    selector: Option<String>,
    #[arg(long)]
    end: Option<u32>,
}

fn main() {
    println!("{:?}", Flags::parse());
}
RUST
cargo build --quiet
alone=$(target/debug/flags --selector a 2>&1 || true)
both=$(target/debug/flags --selector a --end 2 2>&1 || true)
echo "--selector a: $(head -n 2 <<< "$alone" | tr '\n' ' ')"
echo "--selector a --end 2: $both"
grep -q "required arguments were not provided" <<< "$alone" &&
  [ "$both" = 'Flags { adopt: false, selector: Some("a"), end: Some(2) }' ]
