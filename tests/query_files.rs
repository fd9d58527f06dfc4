//! Files of this machine as tables: what is in them is what queries see, however it was saved.

use crate::support::Desk;

fn csv(desk: &Desk, sql: &str) -> String {
    desk.ok(&["query", "--format", "csv", "-c", sql])
}

fn mistake(desk: &Desk, sql: &str) -> String {
    let printed = desk.run(&["query", "--format", "csv", "-c", sql]);
    assert_eq!((printed.code, &*printed.stdout), (Some(1), ""), "{sql}");
    printed.stderr
}

#[test]
fn values_with_line_breaks_are_whole() {
    let desk = Desk::new();
    // Each second line looks like a row, wherever the file might be split.
    let rows = 20_000;
    let text: String = (0..rows)
        .map(|n| format!("{n},a,\"linha\n7,b,linha\"\n"))
        .collect();
    desk.write("notes.csv", format!("n,t,b\n{text}"));
    let sql =
        "SELECT count(*) AS rows, count(DISTINCT n) AS n, min(b) = max(b) AS same FROM 'notes.csv'";
    assert_eq!(csv(&desk, sql), "rows,n,same\n20000,20000,true\n");
    // What is written is read back.
    let made = "SELECT value AS n, 'olá;\n\"' || value AS body FROM generate_series(1, 3000)";
    for file in ["own.csv", "own.tsv"] {
        desk.ok(&["query", "-c", made, "-o", file]);
        let unlike =
            format!("SELECT count(*) AS n FROM (({made}) EXCEPT SELECT n, body FROM '{file}')");
        assert_eq!(csv(&desk, &unlike), "n\n0\n", "{file}");
        let all = format!("SELECT count(*) AS n FROM '{file}'");
        assert_eq!(csv(&desk, &all), "n\n3000\n", "{file}");
    }
}

#[test]
fn columns_of_several_files_have_a_type_that_holds_the_values_of_all() {
    let desk = Desk::new();
    desk.write("a1.csv", "x,d,z,e\n1,2024-01-01,a,\n");
    desk.write("a2.csv", "x,d,z,e\n1.5,2024-01-01 10:00:00,3,7\n");
    let sql = "SELECT sum(x) AS x, max(d) AS d, min(z) || max(z) AS z, sum(e) AS e FROM 'a*.csv'";
    assert_eq!(csv(&desk, sql), "x,d,z,e\n2.5,2024-01-01T10:00:00,3a,7\n");
    desk.write("j1.ndjson", "{\"a\":1}\n");
    desk.write("j2.ndjson", "{\"a\":1.5}\n");
    assert_eq!(
        csv(&desk, "SELECT sum(a) AS a FROM 'j*.ndjson'"),
        "a\n2.5\n"
    );
    desk.write("j3.ndjson", "{\"a\":\"x\"}\n");
    let told = mistake(&desk, "SELECT * FROM 'j*.ndjson'");
    assert!(
        told.contains("a is not of one type in all the files"),
        "{told}"
    );
    // Where the types end to be read, text may follow upon nothing.
    let late = format!("n,x\n{}1,late\n", "1,\n".repeat(10_000));
    desk.write("late.csv", late);
    assert_eq!(
        csv(&desk, "SELECT max(x) AS x FROM 'late.csv'"),
        "x\nlate\n"
    );
}

#[test]
fn files_are_read_as_spreadsheets_save_them() {
    let desk = Desk::new();
    desk.write("brazil.csv", "\u{feff}nome;valor\r\n\"Silva; José\";3\r\n");
    let read = csv(&desk, "SELECT nome, valor + 1 AS v FROM 'brazil.csv'");
    assert_eq!(read, "nome,v\nSilva; José,4\n");
    desk.write("one.csv", "one\n1\n");
    assert_eq!(csv(&desk, "SELECT one FROM 'one.csv'"), "one\n1\n");
    desk.write("marked.sql", "\u{feff}-- One.\nSELECT 1 AS n");
    desk.write("wrong.sql", "\u{feff}SELECT m FROM (SELECT 1 AS n) AS t");
    assert_eq!(
        desk.ok(&["query", "marked.sql", "--format", "csv"]),
        "n\n1\n"
    );
    let wrong = desk.run(&["query", "wrong.sql"]).stderr;
    assert!(wrong.contains("\n1 |  SELECT m FROM"), "{wrong}");
    assert!(wrong.contains("\n  |         ^\n"), "{wrong}");
    for (file, text, expected) in [
        (
            "twice.csv",
            &b"a,b,a\n1,2,3\n"[..],
            "two columns are named a",
        ),
        ("latin.csv", b"nome,n\nJos\xe9,3\n", "not in UTF-8"),
        (
            "long.csv",
            b"a,b\n1,2\n1,2,3\n",
            "line 3 has 3 values, the header has 2",
        ),
        ("marked.json", b"\xef\xbb\xbf{\"a\":1}\n", "byte order mark"),
    ] {
        desk.write(file, text);
        let told = mistake(&desk, &format!("SELECT * FROM '{file}'"));
        assert!(told.contains(expected), "{file}: {told}");
    }
}

#[test]
fn paths_in_json_bind_closer_than_comparisons() {
    let desk = Desk::new();
    let of = |condition: &str| {
        let rows =
            "(VALUES ('{\"r\": \"5\", \"n\": {\"m\": 7}}'), ('{\"r\": \"4\"}'), ('{}')) AS t(j)";
        csv(
            &desk,
            &format!("SELECT count(*) AS n FROM {rows} WHERE {condition}"),
        )
    };
    for (condition, expected) in [
        ("j ->> 'r' = '5'", 1),
        ("'5' = j ->> 'r'", 1),
        ("j ->> 'r' <> j ->> 'none'", 0),
        ("j ->> 'r' IS NOT NULL AND j ->> 'r' IN ('4', '6')", 1),
        ("NOT j ->> 'r' LIKE '5%'", 1),
        ("j -> 'n' ->> 'm' = '7' OR j ->> 'r' IS NULL", 2),
        ("j ->> 'r' || 'x' = '4x'", 1),
        ("(j ->> 'r')::INT + 1 BETWEEN 5 AND 6", 2),
    ] {
        assert_eq!(of(condition), format!("n\n{expected}\n"), "{condition}");
    }
}
