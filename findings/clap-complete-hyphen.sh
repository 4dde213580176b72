#!/usr/bin/env bash
# Package: clap_complete 4.6.11, clap 4.6.7 (crates.io), ahead-of-time scripts for bash.
#
# Behaviour: in the script of a program with a hyphen in its name, as every kubectl plugin has one, bash completes the
# subcommands and nothing behind them. The function sets a state that begins with the name in one spelling (`my__tool`),
# and the branches for subcommands are labelled with another one (`my__subcmd__tool`).
#
# Seen, for a program with `run --kind <fast|slow>`: `mytool run --k` is completed to `--kind`, `my-tool run --k` to
# nothing; `my-tool r` is completed to `run`.
#
# Guess that misses: a name with a hyphen changes the name of the function, and nothing else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "scripts"
version = "0.0.0"
edition = "2024"

[dependencies]
clap = "=4.6.7"
clap_complete = "=4.6.11"
TOML
cat > src/main.rs <<'RUST'
use clap::{Arg, Command};

fn main() {
    let name = std::env::args().nth(1).unwrap();
    let kind = Arg::new("kind").long("kind").value_parser(["fast", "slow"]);
    let name: &'static str = name.leak();
    let mut command = Command::new(name).subcommand(Command::new("run").arg(kind));
    clap_complete::generate(clap_complete::Shell::Bash, &mut command, name, &mut std::io::stdout());
}
RUST
cargo build --quiet
# complete NAME WORD...: what bash offers for the last word.
complete_words() {
  local name=$1
  target/debug/scripts "$name" > "$name.bash"
  bash --norc -c "source $name.bash; COMP_WORDS=($*); COMP_CWORD=$(($# - 1))
    _${name//-/__} '$name' '${!#}' '${*:$(($# - 1)):1}'; echo \"\${COMPREPLY[*]}\""
}
plain=$(complete_words mytool run --k)
hyphen=$(complete_words my-tool run --k)
first=$(complete_words my-tool r)
echo "mytool run --k: '$plain'; my-tool run --k: '$hyphen'; my-tool r: '$first'"
[ "$plain" = "--kind" ] && [ -z "$hyphen" ] && [ "$first" = "run" ]
