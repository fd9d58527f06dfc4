use crate::{args::Serve, config::Config, exit::Failure};
pub async fn run(_args: &Serve, _config: Config) -> Result<(), Failure> { Ok(()) }
