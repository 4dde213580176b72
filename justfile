# Shortcuts for frequent commands; each recipe is a plain command.

# List the recipes
default:
    @just --list

# Run all checks of CI
check:
    .ci/run

# Run tests by name, for example: just test shipping
test *names:
    cargo test --locked {{ names }}

# Run the whole test on the simulated cluster
try *flags:
    cargo run --release -- run --sandbox --end 20 {{ flags }}

# Generate completion scripts and man pages in target/generated
generate:
    cargo run --locked -- __generate completions target/generated/completions
    cargo run --locked -- __generate man target/generated/man

# Package for this machine and render the plugin's manifest
package:
    krew/package
    krew/render

# Check with the oldest supported compiler
msrv:
    cargo +1.89 check --locked

# Check licences, sources, advisories and duplicates of dependencies
deny:
    cargo deny --locked check
