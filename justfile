# The commands of every day. CI runs `scripts/test`, as `just test` does.

# What there is.
default:
    @just --list

# Everything that has to hold before a change is merged.
test *words:
    scripts/test {{words}}

# Only the tests whose names contain these words, without lints and documentation.
try *words:
    cargo nextest run {{words}}

# Put the source in its usual form.
fmt:
    cargo fmt --all

# Warnings are errors.
lint:
    cargo clippy --locked --all-targets -- -D warnings

# Licences, sources and advisories of what we build upon.
deny:
    scripts/dependencies

# The documentation of the source, in a browser.
doc:
    cargo doc --no-deps --open

# The server, configured by the environment.
run *options:
    cargo run -- serve {{options}}

# The server in a throwaway folder, with a simulated Evolution API and sample users.
demo:
    cargo run -- demo

# The container image.
image:
    docker build -t zapgate .
