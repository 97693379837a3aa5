//! docs/sizing.md: its tables are computed again, and what it quotes is in docs/measurements.md.

const SIZING: &str = include_str!("../../docs/sizing.md");
const MEASUREMENTS: &str = include_str!("../../docs/measurements.md");

/// The tables of a section, as rows of cells, without their heads.
fn tables(section: &str) -> Vec<Vec<Vec<&'static str>>> {
    let text = SIZING.split(&format!("\n## {section}\n")).nth(1).unwrap_or_else(|| panic!("no section {section}"));
    let text = text.split("\n## ").next().unwrap();
    let mut tables: Vec<Vec<Vec<&str>>> = vec![Vec::new()];
    for line in text.lines() {
        if let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) {
            tables.last_mut().unwrap().push(cells.split(" | ").map(str::trim).collect());
        } else if !line.starts_with("|---") && !tables.last().unwrap().is_empty() {
            tables.push(Vec::new());
        }
    }
    tables.retain(|rows| rows.len() > 1);
    tables.iter_mut().for_each(|rows| drop(rows.remove(0)));
    assert!(!tables.is_empty(), "no table in {section}");
    tables
}

/// The first number of a cell.
fn number(cell: &str) -> f64 {
    let digits = |character: char| character.is_ascii_digit() || ",.".contains(character);
    let start =
        cell.find(|character: char| character.is_ascii_digit()).unwrap_or_else(|| panic!("no number in `{cell}`"));
    let number: String = cell[start..]
        .chars()
        .take_while(|character| digits(*character))
        .filter(|character| *character != ',')
        .collect();
    number.parse().unwrap_or_else(|_| panic!("`{cell}`"))
}

fn duration(minutes: f64) -> String {
    if minutes < 120.0 {
        format!("{minutes:.0} min")
    } else if minutes < 48.0 * 60.0 {
        format!("{:.1} h", minutes / 60.0)
    } else {
        format!("{:.1} d", minutes / 1440.0)
    }
}

/// Minutes to catch up with `days` of an org, at the default share of the default limit.
fn catching_up(a_day: f64, page: f64, days: f64) -> f64 {
    a_day * days / (48.0 * page - a_day / 1440.0)
}

/// Shards that have a connector, of 25, in the mean.
fn shards(connectors: i32) -> f64 {
    25.0 * (1.0 - (24.0_f64 / 25.0).powi(connectors))
}

/// MiB of a worker whose connectors are all behind at once.
fn all_behind(connectors: f64) -> f64 {
    21.0 + 10.2 * connectors
}

#[test]
fn the_tables_of_rates_times_and_disks_are_computed() {
    for row in &tables("Rate limit")[0] {
        let minute = number(row[0]) * number(row[1]);
        assert_eq!([number(row[2]), number(row[3])], [minute, minute * 1440.0], "{row:?}");
    }
    let times = &tables("Catching up")[0];
    assert!(times.len() >= 10);
    for row in times {
        for (cell, days) in row[2..].iter().zip([7.0, 30.0, 90.0]) {
            assert_eq!(*cell, duration(catching_up(number(row[0]), number(row[1]), days)), "{row:?}");
        }
    }
    let event = &tables("An event")[0];
    let on_disk = |what: &str, column: usize| {
        number(event.iter().find(|row| row[0].starts_with("on disk") && row[0].contains(what)).unwrap()[column])
    };
    for row in &tables("Disk")[0] {
        let column = if row[1] == "json" { 1 } else { 2 };
        let cells = [("lz4", 30.0), ("lz4", 90.0), ("zstd", 30.0), ("zstd", 90.0)];
        for (cell, (compression, days)) in row[2..].iter().zip(cells) {
            let bytes = number(row[0]) * days * on_disk(compression, column) * 3.0 * 2.0;
            assert_eq!(*cell, format!("{:.1}", bytes / 1e9), "{row:?}");
        }
    }
}

#[test]
fn processor_threads_and_shards_are_computed() {
    let work = tables("Processor and memory");
    for row in &work[0] {
        // 100,000 events.
        assert_eq!(number(row[3]), (number(row[2]) * 100.0).round() / 10.0, "{row:?}");
    }
    for row in &work[1] {
        assert_eq!(number(row[2]), 13.0 + 6.0 * number(row[1]), "{row:?}");
        let memory = 21.0 + 0.6 * number(row[0]);
        assert!((number(row[3]) - memory).abs() < 3.0, "{row:?}: {memory}");
    }
    let told = [(1, 1), (10, 8), (20, 14), (50, 22), (200, 25)];
    let told: Vec<String> = told
        .iter()
        .map(|(connectors, expected)| {
            assert_eq!(shards(*connectors).round(), f64::from(*expected), "{connectors}");
            format!("{connectors} → {expected}")
        })
        .collect();
    assert!(SIZING.contains(&told.join(", ")), "{told:?}");
    assert!(SIZING.contains("5, 19 and 47 with 1, 8 and 22 shards"));
    assert_eq!([1, 8, 22].map(|shards| 3 + 2 * shards), [5, 19, 47]);
}

#[test]
fn the_examples_are_computed() {
    let table = &tables("Three examples")[0];
    let row = |name: &str| table.iter().find(|row| row[0].starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
    for (column, orgs) in [(1, 1), (2, 20), (3, 200)] {
        let cell = |name: &str| row(name)[column];
        let each = number(cell("events a day"));
        let page = number(cell("`limit`"));
        let second = each * f64::from(orgs) / 86_400.0;
        let near = |name: &str, value: f64| {
            // What is below the last digit that is told is told as nothing.
            let told = if cell(name) == "nothing" { 0.0 } else { number(cell(name)) };
            let bound = (value * 0.06).max(0.051);
            assert!((told - value).abs() < bound, "{name}, {orgs} orgs: {} instead of {value}", cell(name));
        };
        near("events a second", second);
        near("requests a minute", 1.0 + each / 1440.0 / page);
        assert_eq!(cell("catch-up"), duration(catching_up(each, page, 30.0)));
        near("processor", second * 15.4e-6);
        near("memory at rest", 21.0 + 0.6 * f64::from(orgs));
        near("memory when all are behind", all_behind(f64::from(orgs)));
        near("threads", 13.0 + 6.0 * shards(orgs).round());
        near("from Okta", second * 386.0 * 8.0 / 1e6);
        near("to Kafka", second * 451.0 * 8.0 / 1e6);
        let disk = each * f64::from(orgs) * 30.0 * 451.0 * 6.0 / 1e9;
        let unit = if cell("disk").contains("TB") { 1000.0 } else { 1.0 };
        near("disk", disk / unit);
    }
}

/// Every figure of the tables that quote, and of the sentences on what is behind, is one of docs/measurements.md.
#[test]
fn what_is_quoted_was_measured() {
    let plain = |text: &str| text.replace(',', "");
    let digits = |character: char| !(character.is_ascii_digit() || character == '.');
    let measured_text = plain(MEASUREMENTS);
    let measured: Vec<&str> = measured_text.split(digits).map(|number| number.trim_end_matches('.')).collect();
    let (work, event) = (tables("Processor and memory"), tables("An event"));
    // Computed: the column of an event. Made from another figure: bytes of TLS, 19.3 MB for 50,000 events.
    let quoted =
        work[0].iter().flat_map(|row| row.iter().enumerate().filter(|(column, _)| *column != 3).map(|(_, cell)| *cell));
    let quoted = quoted.chain(work[1].iter().flatten().copied());
    let quoted = quoted
        .chain(event[0].iter().filter(|row| row[0] != "from Okta, gzip in TLS").flat_map(|row| row[1..].to_vec()));
    let quoted: Vec<&str> = quoted.chain(["145.0 MiB", "223.8 MiB", "145.2 MiB", "0.85 s", "54 to 127"]).collect();
    assert!(quoted.len() > 50, "{}", quoted.len());
    for cell in quoted {
        for number in plain(cell).split(digits).filter(|number| !number.is_empty()) {
            assert!(measured.contains(&number), "{number} of `{cell}` is not in docs/measurements.md");
        }
    }
    assert!(MEASUREMENTS.contains("19.3 MB of TLS") && SIZING.contains("| 386 B |"));
    assert_eq!(19_300_000 / 50_000, 386);
    for quote in ["145.0 MiB", "223.8 MiB", "145.2 MiB", "take 0.85 s", "54 to 127 for 100,000"] {
        assert!(SIZING.contains(quote), "{quote}");
    }
}

/// A limit of memory holds what the worker takes when all of its connectors are behind, as they are after a while without
/// Kafka, and a third of that as room; what it requests holds it at rest.
#[test]
fn the_limits_of_memory_have_room_for_all_connectors_behind() {
    assert!(SIZING.contains("*memory when all are behind = 21 MiB + 10.2 MiB × connectors*"));
    // The formula is above what was measured, and near it.
    assert!((223.8..226.0).contains(&all_behind(20.0)), "{}", all_behind(20.0));
    let rows = &tables("Kubernetes")[0];
    assert_eq!(rows.iter().map(|row| number(row[0])).collect::<Vec<_>>(), [20.0, 50.0, 200.0]);
    for row in rows {
        let memory = |cell: &str| {
            let size = cell.split("`memory: ").nth(1).unwrap();
            number(size) * if size.contains("Gi`") { 1024.0 } else { 1.0 }
        };
        let connectors = number(row[0]);
        assert!(all_behind(connectors) * 4.0 / 3.0 <= memory(row[2]), "{row:?}: {}", all_behind(connectors));
        assert!(21.0 + 0.6 * connectors <= memory(row[1]), "{row:?}");
    }
}

#[test]
fn what_is_said_of_the_chart_is_its_default() {
    const VALUES: &str = include_str!("../../charts/okta-kafka-source/values.yaml");
    let resources = VALUES.split("\nresources:\n").nth(1).expect("the chart has resources");
    let row = &tables("Kubernetes")[0][0];
    assert!(row[0].contains("the default of the [chart]"), "{row:?}");
    for (cell, name) in [(row[1], "requests:"), (row[2], "limits:")] {
        let section = resources.split(name).nth(1).unwrap().lines().skip(1).take_while(|line| line.starts_with("    "));
        for line in section {
            assert!(cell.contains(&format!("`{}`", line.trim())), "{line} is not in {cell}");
        }
    }
}
