//! The command line.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::parse_bytes;

/// Characters of a line of help. Examples are no longer than the first.
const NARROWEST: usize = 80;
const WIDEST: usize = 100;

/// Turns the Huggy chat platform's webhooks into an analytics lake, and answers SQL over it.
#[derive(Debug, Parser)]
#[command(
    name = "huggy-etl",
    version,
    after_help = "Example:\n  huggy-etl generate --chats 1000 | huggy-etl import -\n  huggy-etl transform\n  huggy-etl query wait_times"
)]
pub struct Args {
    /// The lake: a path, or a file://, s3://, az:// or gs:// URL [default: ./lake]
    #[arg(long, global = true, value_name = "URL")]
    pub lake: Option<String>,

    /// Settings file [default: ./huggy-etl.toml where it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive webhooks: store them durably, flush them to the lake, keep the facts up to date
    Serve(Serve),
    /// Read deliveries from NDJSON files (.gz and .zst too) into the lake
    Import(Import),
    /// Bring the facts up to date with the events
    Transform(Transform),
    /// Keep the lake in shape: write small files together, drop copies, delete what nobody needs
    Maintain(Maintain),
    /// Run a saved query, or SQL, over the lake's tables
    Query(Query),
    /// Ask with SQL and commands, one after the other; a script from stdin
    Shell(Shell),
    /// List the saved queries with their parameters, or print one
    #[command(after_help = "Examples:\n  huggy-etl queries\n  huggy-etl queries wait_times")]
    Queries {
        /// Name of the query to print
        name: Option<String>,
    },
    /// List the lake's tables
    #[command(after_help = "Example:\n  huggy-etl tables --lake s3://my-bucket/huggy")]
    Tables,
    /// Describe a table's columns
    #[command(after_help = "Example:\n  huggy-etl describe fact_chats")]
    Describe {
        /// Name of the table
        table: String,
    },
    /// Write tables or results as plain Parquet, for tools that cannot read Delta
    Export(Export),
    /// Say what was done to a table, newest first
    History(History),
    /// List the functions for queries over chats, with examples
    #[command(after_help = "Examples:\n  huggy-etl functions\n  huggy-etl functions service_level")]
    Functions {
        /// Name of the function to describe
        name: Option<String>,
    },
    /// Write made-up but realistic deliveries as NDJSON
    Generate(Generate),
    /// Say what is missing, late, unreadable or skewed in what Huggy delivers, and what to do
    Doctor(Doctor),
    /// Check that the lake is whole: log, files, statistics, repeated events, facts, write-ahead log
    Verify(Verify),
    /// Look into the write-ahead log
    #[command(
        subcommand,
        after_help = "Example:\n  huggy-etl wal inspect /var/lib/huggy/wal"
    )]
    Wal(Wal),
    /// Print the effective settings, secrets masked
    #[command(after_help = "Example:\n  HUGGY_ETL_FLUSH_INTERVAL=5s huggy-etl config")]
    Config,
    /// Print the script that completes this program's command lines in a shell
    Completions(Completions),
    /// Print the manual page of this program, or write those of all commands
    Man(Man),
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  HUGGY_ETL_TOKENS=380c4e73... huggy-etl serve --listen 0.0.0.0:8080"
)]
pub struct Serve {
    /// Address of the webhook [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Address of /healthz, /readyz and /metrics [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<String>,
    /// A token to accept; repeat for several. For trials: other users of the machine can read
    /// command lines, so set HUGGY_ETL_TOKENS or the settings file in production
    #[arg(long = "token", value_name = "TOKEN")]
    pub tokens: Vec<String>,
    /// Accept and keep the token of the first handshake
    #[arg(long)]
    pub pair: bool,
    /// Folder of the write-ahead log [default: ./wal]
    #[arg(long, value_name = "DIR")]
    pub wal: Option<String>,
    /// Path of the webhook [default: /webhook]
    #[arg(long, value_name = "PATH")]
    pub webhook_path: Option<String>,
    /// Flush at least this often [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub flush_interval: Option<String>,
    /// Flush once this much has gathered [default: 64MiB]
    #[arg(long, value_name = "BYTES")]
    pub flush_bytes: Option<String>,
    /// Flush once this many events have gathered [default: 200000]
    #[arg(long, value_name = "ROWS")]
    pub flush_rows: Option<String>,
    /// Bring the facts up to date this often; 0 leaves it to `huggy-etl transform` [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub transform_every: Option<String>,
    /// Maintain the lake's tables this often; 0 leaves it to `huggy-etl maintain` [default: 5m]
    #[arg(long, value_name = "DURATION")]
    pub maintain_every: Option<String>,
    /// Logs for humans or as JSON: human, json [default: human]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  huggy-etl import march.ndjson.zst april.ndjson.gz\n  zcat old.gz | huggy-etl import -"
)]
pub struct Import {
    /// NDJSON files, one delivery a line, bare or as {"received_at", "body"}; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  huggy-etl transform\n  huggy-etl transform --full")]
pub struct Transform {
    /// Derive everything anew
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  huggy-etl maintain --dry-run
  huggy-etl maintain
  huggy-etl maintain --vacuum-older-than 0s")]
pub struct Maintain {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Delete files that were removed from their table longer ago than this: 0s frees all room at once,
    /// and lets queries fail that still read them [default: 24h, the setting vacuum_after]
    #[arg(long, value_name = "DURATION")]
    pub vacuum_older_than: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exit codes: 0 done, 1 a query failed, 2 wrong usage, 3 the lake or the settings cannot be used, 130 interrupted.

Examples:
  huggy-etl queries
  huggy-etl query wait_times --param from=2025-03-10 --human
  huggy-etl query service_level --param seconds=60 -o service.parquet
  huggy-etl query reports/my_own.sql --format csv > report.csv
  huggy-etl query -c 'SELECT outcome, count(*) FROM fact_chats GROUP BY 1'
  huggy-etl query -c 'SELECT * FROM dim_agents WHERE name < $n' --param n=M
  huggy-etl query -c \"SELECT * FROM fact_chats NATURAL JOIN 'targets.csv'\"
  huggy-etl query -c 'SELECT count(*) FROM fact_chats' --at 1
  huggy-etl query --keep-going --timing < all.sql"
)]
pub struct Query {
    /// Name of a saved query, or a file of SQL statements; `-`, or nothing where SQL is piped in, is stdin
    #[arg(index = 1, value_name = "QUERY", conflicts_with = "sql")]
    pub query: Option<String>,
    /// Values of the query's parameters, as by --param
    #[arg(index = 2, value_name = "NAME=VALUE", value_parser = parameter)]
    pub values: Vec<(String, String)>,
    /// SQL statements
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        allow_hyphen_values = true
    )]
    pub sql: Option<String>,
    /// Value of the query's parameter $NAME; repeat for several. NULL is no value; a time without offset
    /// is one of the business time zone
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// table, csv, tsv, json (an array of objects), ndjson (an object a line), markdown, html, parquet or
    /// arrow [default: by the ending of the file, else table]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<query::Format>,
    /// Write to this file, which is there whole once all is done, or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw a chart of the result: line, bar, heatmap, histogram, auto (the saved query's own, else what fits
    /// the columns), or none. Columns are named like this: 'bar x=day y=sum(waits) by=channel stacked'. In
    /// characters, or with -o as a picture, in a file that ends in .svg or .html
    #[arg(long, value_name = "CHART", num_args = 0..=1, default_missing_value = "auto")]
    pub chart: Option<String>,
    /// What stands for NULL in table, csv, tsv, markdown and html
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,
    /// Durations (columns named *_seconds) as 1h 02m 03s, in table, markdown and html
    #[arg(long)]
    pub human: bool,
    /// Fit tables to this many characters; 0 for as wide as they are [default: the terminal's]
    #[arg(long, value_name = "CHARACTERS")]
    pub width: Option<usize>,
    /// How many rows a table shows; 0 for all
    #[arg(long, value_name = "ROWS", default_value_t = query::TABLE_ROW_LIMIT)]
    pub max_rows: usize,
    /// Go on after a statement that fails; the exit code still says that one did
    #[arg(long)]
    pub keep_going: bool,
    /// Read the lake as it was: at an instant or, where the query names one table, at a version of it
    /// (`huggy-etl history` lists them). Without an offset it is in the business time zone
    #[arg(long, value_name = "VERSION|TIMESTAMP")]
    pub at: Option<String>,
    /// Memory before sorts and aggregates spill to disk [default: 2GiB, or 256MiB for each core where that
    /// is more, up to half of the machine's memory]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub memory: Option<String>,
    /// Tell how many rows came, and how long it took
    #[arg(long)]
    pub timing: bool,
    /// Tell what was read and what could be skipped, and the memory it took
    #[arg(long)]
    pub stats: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  huggy-etl shell
  huggy-etl shell --at 1
  echo '.run wait_times from=2025-03-10' | huggy-etl shell")]
pub struct Shell {
    /// Read the lake as it was: at an instant or, in statements that name one table, at a version of it. Without an
    /// offset it is in the business time zone
    #[arg(long, value_name = "VERSION|TIMESTAMP")]
    pub at: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  huggy-etl export --to s3://my-bucket/parquet
  huggy-etl export --to ./parquet fact_chats fact_messages --partition month
  huggy-etl export --to ./parquet --query sessions_by_day --query wait_times
  huggy-etl export --to ./parquet -c 'SELECT name FROM dim_agents' --name names
  huggy-etl export --to ./handed_over --snapshot")]
pub struct Export {
    /// Where to: a path, or a file://, s3://, az:// or gs:// URL, outside of the lake
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Tables; all of the lake if neither a table nor a query is named
    #[arg(value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Name of a saved query, or a file with one SQL statement; repeat for several
    #[arg(long = "query", value_name = "QUERY")]
    pub queries: Vec<String>,
    /// One SQL statement
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        requires = "name",
        allow_hyphen_values = true
    )]
    pub sql: Option<String>,
    /// Folder that the rows of -c go to
    #[arg(long, value_name = "NAME", requires = "sql")]
    pub name: Option<String>,
    /// Value of the parameter $NAME of every query that declares it, and of -c; repeat for several
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// An object for each day, month or none: everything in one [default: day for tables with a date,
    /// none for queries]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<query::Partition>,
    /// Write a new folder that never changes, complete once its _manifest.json appears
    #[arg(long)]
    pub snapshot: bool,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  huggy-etl history fact_chats\n  huggy-etl query -c 'SELECT count(*) FROM fact_chats' --at 1"
)]
pub struct History {
    /// Name of the table
    pub table: String,
    /// How many commits to show at most
    #[arg(long, value_name = "COMMITS", default_value_t = 100)]
    pub limit: usize,
    /// As those of `huggy-etl query`
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: query::Format,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exit code 1 if there is a problem.\n\nExample:\n  huggy-etl doctor --days 7"
)]
pub struct Doctor {
    /// How many days back from the latest event to look
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: u32,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  huggy-etl generate --chats 1000 --days 7 --seed 1 | huggy-etl import -"
)]
pub struct Generate {
    /// How many chats
    #[arg(long, default_value_t = 1000)]
    pub chats: u64,
    /// Over how many days
    #[arg(long, default_value_t = 7)]
    pub days: u32,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The first day, local date
    #[arg(long, value_name = "DATE")]
    pub first_day: Option<NaiveDate>,
    /// The token in every delivery
    #[arg(long)]
    pub token: Option<String>,
    /// Also write what the facts of each chat must be, as NDJSON
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Load it anew with every shell: what it asks the program may change with the version.

Examples:
  echo 'source <(huggy-etl completions bash)' >> ~/.bashrc
  echo 'source <(huggy-etl completions zsh)' >> ~/.zshrc
  echo 'huggy-etl completions fish | source' >> ~/.config/fish/config.fish"
)]
pub struct Completions {
    /// Which shell
    pub shell: CompletedShell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  huggy-etl man | man -l -
  huggy-etl man --dir /usr/local/share/man/man1")]
pub struct Man {
    /// Write the pages of the program and of each command to this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exit code 1 if there is a problem, 3 if the lake cannot be used.\n\nExamples:\n  huggy-etl verify\n  huggy-etl verify --full --format ndjson"
)]
pub struct Verify {
    /// Read every value of every file, and derive the facts of every chat anew; else of large files what
    /// describes them, and the facts of 1,000 chats
    #[arg(long)]
    pub full: bool,
    /// Folder of a write-ahead log to look into, too [default: that of the settings where it exists]
    #[arg(long, value_name = "DIR")]
    pub wal: Option<PathBuf>,
    /// Findings for reading, or as an object a line
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: VerifyFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    Text,
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub enum Wal {
    /// Say which deliveries a write-ahead log holds, what of them is not in the lake yet, and what is
    /// damaged; never what they say
    Inspect(WalInspect),
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Changes nothing; a service may own the log meanwhile. Exit code 1 if it is damaged.\n\nExample:\n  huggy-etl wal inspect /var/lib/huggy/wal"
)]
pub struct WalInspect {
    /// Its folder [default: that of the settings]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

fn size(text: &str) -> Result<String, String> {
    let size = parse_bytes(text).map(|_| text.to_owned());
    size.ok_or_else(|| "give a size such as 64MiB".to_owned())
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            let name = name.trim().trim_start_matches('$');
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

impl Args {
    /// Of this process. What it tells is as wide as the terminal, but never so narrow that an example would be
    /// broken over two lines: a terminal that shows it in two rows still copies it as one.
    pub fn of_process() -> Args {
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
        let terminal = terminal_size::terminal_size().map(|(width, _)| width.0.into());
        let width = terminal.or_else(columns).unwrap_or(WIDEST);
        let command = Args::command().term_width(width.clamp(NARROWEST, WIDEST));
        let matches = command.get_matches();
        Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The settings that flags give, by key.
    pub fn settings(&self) -> Vec<(&'static str, toml::Value)> {
        let mut settings = Vec::new();
        let mut set = |key, value: &Option<String>| {
            settings.extend(
                value
                    .as_ref()
                    .map(|value| (key, toml::Value::String(value.clone()))),
            );
        };
        set("lake", &self.lake);
        if let Command::Query(query) = &self.command {
            set("query_memory_bytes", &query.memory);
        }
        if let Command::Maintain(maintain) = &self.command {
            set("vacuum_after", &maintain.vacuum_older_than);
        }
        if let Command::Serve(serve) = &self.command {
            set("listen", &serve.listen);
            set("admin_listen", &serve.admin_listen);
            set("wal", &serve.wal);
            set("webhook_path", &serve.webhook_path);
            set("flush_interval", &serve.flush_interval);
            set("flush_bytes", &serve.flush_bytes);
            set("flush_rows", &serve.flush_rows);
            set("transform_every", &serve.transform_every);
            set("maintain_every", &serve.maintain_every);
            set("log_format", &serve.log_format);
            if !serve.tokens.is_empty() {
                let tokens = serve
                    .tokens
                    .iter()
                    .cloned()
                    .map(toml::Value::String)
                    .collect();
                settings.push(("tokens", toml::Value::Array(tokens)));
            }
        }
        settings
    }
}
