//! The `twinlink` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    twinlink::cli::main()
}
