//! Charts: in characters, and as pictures.

use std::fs;
use std::process::Command;

use crate::support::{Desk, Printed, has};
use crate::terminal::Screen;

const WAITS: &str = "SELECT * FROM (VALUES
    (DATE '2024-03-01', 'whatsapp', 65, 3), (DATE '2024-03-01', 'e-mail', 210, 1),
    (DATE '2024-03-02', 'whatsapp', NULL, 0), (DATE '2024-03-02', 'e-mail', 150, 2),
    (DATE '2024-03-03', 'whatsapp', 90, 5), (DATE '2024-03-03', 'e-mail', 0, 4),
    (DATE '2024-03-04', 'whatsapp', 120, 2), (DATE '2024-03-04', 'e-mail', 30, 1)
    ) AS waits(day, channel, wait_seconds, chats) ORDER BY day, channel DESC";
const AGENTS: &str =
    "SELECT * FROM (VALUES ('João Silva', 300, 12), ('Conceição D''Ávila & filhos', 125, NULL),
    ('Amanda Araújo', 0, 7)) AS agents(agent_name, handle_avg_seconds, chats)";

/// As text, for a terminal of this width.
fn drawn(desk: &Desk, sql: &str, chart: &str) -> String {
    desk.ok(&["query", "-c", sql, "--width", "70", "--chart", chart])
}

fn picture(desk: &Desk, sql: &str, chart: &str) -> String {
    assert_eq!(
        desk.ok(&["query", "-c", sql, "--chart", chart, "-o", "chart.svg"]),
        ""
    );
    fs::read_to_string(desk.path("chart.svg")).expect("the picture")
}

#[test]
fn charts_look_as_they_looked() {
    let desk = Desk::new();
    for (name, sql, chart) in [
        ("line", WAITS, "line x=day y=wait_seconds by=channel"),
        ("line_alone", WAITS, "line x=day y=sum(chats)"),
        ("bars", AGENTS, "bar y=handle_avg_seconds"),
        (
            "bars_side_by_side",
            WAITS,
            "bar x=day y=wait_seconds by=channel",
        ),
        (
            "bars_stacked",
            WAITS,
            "bar x=day y=chats by=channel stacked",
        ),
        (
            "heatmap",
            WAITS,
            "heatmap x=day y=channel value=wait_seconds",
        ),
        ("histogram", WAITS, "histogram x=wait_seconds"),
    ] {
        insta::assert_snapshot!(name, drawn(&desk, sql, chart));
        insta::assert_snapshot!(format!("{name}_svg"), picture(&desk, sql, chart));
    }
}

#[test]
fn a_histogram_has_bins_for_what_there_is() {
    let desk = Desk::new();
    let bins = |values: &str| -> Vec<String> {
        let sql = format!("SELECT {values}");
        let drawn = drawn(&desk, &sql, "histogram x=n");
        let bins = drawn
            .lines()
            .skip(2)
            .filter_map(|line| line.split_once(" │"));
        let bins = bins.map(|(bin, bar)| {
            let count = bar.rsplit(' ').next().expect("a number");
            format!("{}: {count}", bin.trim())
        });
        bins.collect()
    };
    // A bin for each of a few whole numbers, and of many as many as tell something.
    let each = bins("value % 7 AS n FROM range(700)");
    assert_eq!(each, [0, 1, 2, 3, 4, 5, 6].map(|n| format!("{n}: 100")));
    let seven = bins("value AS n FROM range(7)");
    assert_eq!(seven, ["0 – 2: 2", "2 – 4: 2", "4 – 6: 2", "6 – 8: 1"]);
    assert_eq!(bins("7 AS n"), ["7: 1"]);
    assert_eq!(
        bins("value / 2.0 AS n FROM range(4)"),
        ["0 – 0.5: 1", "0.5 – 1: 1", "1 – 1.5: 2"]
    );
    let many = bins("value AS n FROM range(100000)");
    assert_eq!(many.len(), 10, "{many:?}");
    let svg = picture(&desk, "SELECT value % 7 AS n FROM range(700)", "histogram");
    assert!(svg.contains("\n6\n") && !svg.contains("\n0.5\n"), "{svg}");
}

#[test]
fn a_chart_tells_itself_that_it_leaves_rows_out() {
    let desk = Desk::new();
    let of = |rows: u32| {
        let sql = format!("SELECT value AS n FROM range({rows})");
        let printed = desk.run(&["query", "-c", &sql, "--chart", "histogram"]);
        assert_eq!(
            (printed.code, printed.stderr.as_str()),
            (Some(0), ""),
            "{rows}"
        );
        printed.stdout.ends_with("of the first 1000000 rows only\n")
    };
    assert!(of(1_000_001));
    assert!(!of(1_000_000));
}

#[test]
fn charts_at_a_terminal_have_colors_unless_they_are_unwanted() {
    if !has("tmux") {
        return;
    }
    let desk = Desk::new();
    desk.write("waits.sql", WAITS);
    let drawn = |variables: &str| {
        let etl = env!("CARGO_BIN_EXE_huggy-etl");
        let chart = "bar x=day y=chats by=channel stacked";
        let line = format!("sh -c '{etl} query waits.sql --chart \"{chart}\"; sleep 99'");
        let screen = Screen::running(&desk, &line, ("80", "20"), variables);
        screen.wait_for("2024-03-04");
        screen.colored()
    };
    // The first series blue, the second orange.
    let colored = drawn("");
    for color in ["\u{1b}[38;5;32m█", "\u{1b}[38;5;214m█"] {
        assert!(colored.contains(color), "{colored:?}");
    }
    let plain = drawn("NO_COLOR=1");
    assert!(plain.contains('▒') && !plain.contains("38;5"), "{plain:?}");
}

#[test]
fn null_is_a_gap_and_names_keep_their_letters() {
    let desk = Desk::new();
    let bars = drawn(&desk, AGENTS, "bar y=chats");
    let row = |name: &str| {
        let found = bars.lines().find(|line| line.contains(name));
        found
            .unwrap_or_else(|| panic!("no {name} in\n{bars}"))
            .to_owned()
    };
    assert!(row("Conceição").ends_with('│'), "{bars}");
    assert!(row("Amanda Araújo").ends_with(" 7"), "{bars}");
    let zero = drawn(&desk, AGENTS, "bar y=handle_avg_seconds");
    assert!(
        zero.lines()
            .any(|line| line.ends_with("Amanda Araújo │ 0s")),
        "{zero}"
    );
    let svg = picture(&desk, AGENTS, "bar y=handle_avg_seconds");
    assert!(
        svg.contains("Conceição") && svg.contains("&amp; filhos"),
        "{svg}"
    );
    assert!(!svg.contains("href") && !svg.contains("<script"), "{svg}");
    let histogram = drawn(&desk, WAITS, "histogram x=wait_seconds");
    assert!(
        histogram.contains("1 of 8 rows have no wait_seconds"),
        "{histogram}"
    );
}

#[test]
fn no_name_and_no_last_day_is_left_out() {
    let desk = Desk::new();
    let names: Vec<String> = (1..=14)
        .map(|number| format!("Conceição da Silva {number:02}"))
        .collect();
    let rows: Vec<String> = names.iter().map(|name| format!("('{name}', 1)")).collect();
    let sql = format!(
        "SELECT a.name AS giver, b.name AS taker, a.n FROM (VALUES {rows}) AS a(name, n), (VALUES {rows}) AS b(name, n)",
        rows = rows.join(", ")
    );
    let chart = "heatmap x=taker y=giver value=n";
    let (text, svg) = (drawn(&desk, &sql, chart), picture(&desk, &sql, chart));
    for (name, number) in names.iter().zip(1..) {
        assert_eq!(text.matches(name.as_str()).count(), 2, "{name}:\n{text}");
        assert!(
            text.contains(&format!("{number} {name}")),
            "{name}:\n{text}"
        );
        assert_eq!(
            svg.matches(&format!("\n{name}\n")).count(),
            2,
            "{name}:\n{svg}"
        );
    }
    // Names that have room stand over their columns; of days some do for all.
    let few = drawn(&desk, WAITS, "heatmap x=channel y=day value=chats");
    assert!(
        few.contains("│whatsapp") && !few.contains("1 whatsapp"),
        "{few}"
    );
    let days = "SELECT day, 'a' AS name, 1 AS n FROM (SELECT unnest(generate_series(
        DATE '2025-03-10', DATE '2025-03-17', INTERVAL '1 day')) AS day)";
    let svg = picture(&desk, days, "line x=day y=n");
    assert!(
        svg.contains("\n2025-03-10\n") && svg.contains("\n2025-03-17\n"),
        "{svg}"
    );
}

#[test]
fn what_is_not_said_is_inferred_and_what_cannot_be_drawn_is_explained() {
    let desk = Desk::new();
    let check = |sql: &str, chart: &str, expected: &str| {
        let text = drawn(&desk, sql, chart);
        assert!(text.contains(expected), "{chart}:\n{text}");
    };
    // A time makes lines, names make bars, numbers alone a histogram; counts are added up.
    check(
        "SELECT DATE '2024-03-01' AS day, 7 AS n",
        "auto",
        "2024-03-01",
    );
    check("SELECT 'a' AS name, 7 AS n", "auto", "a │█");
    check("SELECT 7 AS wait_seconds", "auto", "7s │█");
    check(
        "SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t(name, n)",
        "bar",
        "█ 4\n",
    );
    check(
        WAITS,
        "bar x=channel y=mean(wait_seconds,chats)",
        " 1m 29s\n",
    );
    check(WAITS, "heatmap", "e-mail │");
    // Nothing is as long as nothing, and the fifth sign is no first one again.
    check(
        "SELECT * FROM (VALUES ('a', 'x', 0), ('b', 'y', 0)) AS t(name, kind, n)",
        "bar x=name y=n by=kind stacked",
        "a │ 0\n",
    );
    check(
        "SELECT 'a' AS name, chr(CAST(111 + value AS BIGINT)) AS kind, value AS n FROM range(1, 6)",
        "bar x=name y=n by=kind",
        "# t",
    );
    let error = |sql: &str, args: &[&str], code: i32, expected: &str| {
        let printed = desk.run(&[&["query", "-c", sql], args].concat());
        assert_eq!(printed.code, Some(code), "{args:?}: {}", printed.stderr);
        assert!(
            printed.stderr.contains(expected),
            "{args:?}: {}",
            printed.stderr
        );
        assert_eq!(printed.stdout, "", "{args:?}");
    };
    error(WAITS, &["--chart", "pie"], 2, "\"pie\" is no kind of chart");
    error(
        WAITS,
        &["--chart", "bar x=dya"],
        2,
        "no column dya; did you mean day?",
    );
    error(
        WAITS,
        &["--chart", "line y=wait_seconds"],
        2,
        "several rows stand at day = 2024-03-01",
    );
    error(
        WAITS,
        &["--chart", "bar y=channel"],
        2,
        "channel is no column of numbers",
    );
    error(
        WAITS,
        &["--chart", "line x=day y=sum(chats),sum(wait_seconds)"],
        2,
        "different units",
    );
    error(
        "SELECT 'a' AS name, 'b' AS other",
        &["--chart"],
        2,
        "no column of numbers to measure",
    );
    error(
        "SELECT 1 AS n WHERE false",
        &["--chart"],
        0,
        "no chart is drawn: the result has no rows",
    );
    error(WAITS, &["--chart", "-o", "x.csv"], 2, ".svg, .html or .txt");
    error(WAITS, &["--chart", "--format", "csv"], 2, "--format csv");
}

#[test]
fn every_saved_query_draws_its_own_chart() {
    let desk = Desk::new();
    let traffic = |seed| ["--chats", "120", "--days", "3", "--seed", seed];
    desk.generate("traffic.ndjson", &traffic("7"));
    // Another company's agents may have the same names, which then stand at one place.
    let other = desk.ok(&[&["generate"][..], &traffic("8")].concat());
    desk.write("other.ndjson", other.replace("15691", "15692"));
    desk.ok(&["import", "traffic.ndjson", "other.ndjson"]);
    desk.ok(&["transform"]);
    let listed = desk.ok(&["queries"]);
    let names = listed
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next());
    let mut drawn = 0;
    for name in names {
        let text = desk.ok(&["queries", name]);
        assert!(text.contains("\n-- chart: "), "{name} has no chart");
        let printed = desk.run(&["query", name, "--chart"]);
        if printed.stderr.contains("the result has no rows") {
            continue;
        }
        assert_eq!(printed.code, Some(0), "{name}: {}", printed.stderr);
        let question = text.lines().next().expect("a question");
        let question = question.trim_start_matches("-- ");
        let chart = printed.stdout;
        assert!(chart.lines().count() > 3, "{name}:\n{chart}");
        assert!(chart.starts_with(&question[..20]), "{name}:\n{chart}");
        let widest = chart.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{name}:\n{chart}");
        desk.ok(&["query", name, "-o", "chart.svg"]);
        let svg = fs::read_to_string(desk.path("chart.svg")).expect("the picture");
        assert!(
            svg.starts_with("<svg ") && svg.contains(&question[..20]),
            "{name}"
        );
        drawn += 1;
    }
    assert!(drawn > 20, "{drawn} charts");
    desk.ok(&["query", "wait_times", "-o", "chart.svg"]);
    let svg = fs::read_to_string(desk.path("chart.svg")).expect("the picture");
    desk.ok(&["query", "wait_times", "--chart", "-o", "chart.html"]);
    let html = fs::read_to_string(desk.path("chart.html")).expect("the page");
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains(svg.trim()),
        "{html}"
    );
}

#[test]
fn what_has_more_places_than_a_chart_takes_no_more_memory_for_them() {
    let desk = Desk::new();
    let drawn = |sql: &str, chart: &str| {
        let query = desk.command(&["query", "-c", sql, "--chart", chart]);
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -v 3000000 && exec \"$@\"", "sh"]);
        limited
            .arg(query.get_program())
            .args(query.get_args())
            .current_dir(desk.path(""));
        let printed = Printed::from(limited.output().expect("running the binary"));
        assert_eq!(printed.code, Some(0), "{chart}: {}", printed.stderr);
        printed.stdout
    };
    // Pairs of which there are 3,600 million.
    let pairs = "SELECT 'a' || value AS x, 'b' || value AS y, value AS n FROM range(60000)";
    let map = drawn(pairs, "heatmap x=x y=y value=n");
    let told = "the first 60 of 60000 rows and 200 of 60000 columns are shown\n";
    assert!(map.ends_with(told), "{map}");
    // Of 20,000 names those with the most: each name has two places, of which one is below 0.
    let names = "SELECT 'd' || way AS x, way * value AS n, 'w' || value AS who
        FROM range(20000) CROSS JOIN (SELECT unnest(make_array(1, -1)) AS way)";
    let lines = drawn(names, "line x=x y=n by=who");
    let told = "of 20000 values of who, the 8 with the most are shown\n";
    assert!(lines.ends_with(told), "{lines}");
    for name in 19_992..20_000 {
        assert!(lines.contains(&format!("w{name}")), "{name}:\n{lines}");
    }
}

#[test]
fn pictures_of_every_kind_load_nothing_from_elsewhere() {
    let desk = Desk::new();
    for chart in [
        "line x=day y=wait_seconds by=channel",
        "bar x=day y=chats by=channel stacked",
        "heatmap x=day y=channel value=wait_seconds",
        "histogram x=wait_seconds",
    ] {
        for name in ["chart.svg", "chart.html"] {
            desk.ok(&["query", "-c", WAITS, "--chart", chart, "-o", name]);
            let picture = fs::read_to_string(desk.path(name)).expect("the picture");
            assert!(picture.contains("</svg>"), "{chart}: {picture}");
            let lower = picture.to_lowercase();
            for part in [
                "href", "src", "<script", "@import", "url(", "<link", "<iframe", "<image",
            ] {
                assert!(!lower.contains(part), "{name} of {chart} has {part}");
            }
            // The name of the format itself is no address that anything is loaded from.
            let addresses = lower.replace("http://www.w3.org/2000/svg", "");
            assert!(!addresses.contains("://"), "{name} of {chart}");
        }
    }
}
