# Every recipe is a plain command that can be typed as well.

# What can be done here
default:
    @just --list

# Everything that has to hold before a change lands
check:
    .ci/run

# Tests by name, for example: just test shipping
test *names:
    cargo test --locked {{ names }}

# The whole test on the simulated cluster
try *flags:
    cargo run --release -- run --sandbox --end 20 {{ flags }}

# Writes completion scripts and man pages to target/generated
generate:
    cargo run --locked -- __generate completions target/generated/completions
    cargo run --locked -- __generate man target/generated/man

# The archive for this machine, and the manifest of the plugin
package:
    krew/package
    krew/render

# Oldest supported compiler
msrv:
    cargo +1.89 check --locked

# Licences, sources, advisories and duplicates of dependencies
deny:
    cargo deny --locked check
