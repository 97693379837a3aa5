//! The layout's rules, read from the sources: which folder may name what, and how long a file may be.
//!
//! docs/ARCHITECTURE.md gives the reasons. clippy.toml enforces a part of it a second time, by type.

use std::fs;
use std::path::Path;

use crate::support::rust_files::rust_files;
use crate::support::rust_paths;

/// One rule: files under one of `folders` name none of `forbidden`.
struct Rule {
    /// Paths below `src/`: a folder with everything in it, or a file.
    folders: &'static [&'static str],
    /// Exceptions to `folders`.
    except: &'static [&'static str],
    /// Names (`tokio`) and paths (`Instant::now`), as they stand in code.
    forbidden: &'static [&'static str],
    why: &'static str,
}

/// Okta's parsers and the rules of the task take bytes and times and give back decisions.
const PURE: &[&str] = &["source", "offsets", "convert", "okta", "dead_letter"];

/// The rooms of those folders where input and output happen.
const PURE_EXCEPT: &[&str] = &["okta/client.rs", "okta/client", "okta/auth"];

const RULES: &[Rule] = &[
    Rule {
        folders: PURE,
        except: PURE_EXCEPT,
        forbidden: &[
            "tokio",
            "rdkafka",
            "reqwest",
            "fastrand",
            "SystemTime::now",
            "Instant::now",
            "Timestamp::now",
            "Zoned::now",
            "std::env",
            "std::fs",
            "TcpListener",
            "TcpStream",
            "UdpSocket",
            "std::thread",
            "crate::clock",
        ],
        why: "this part is pure, so that every rule of it is a table test: time and randomness are handed in, \
              input and output happen in worker, kafka and okta::client",
    },
    Rule {
        folders: &["okta/auth"],
        except: &["okta/auth/files.rs", "okta/auth/session.rs", "okta/auth/session"],
        forbidden: &["tokio", "fastrand", "std::env", "std::fs", "std::thread", "crate::clock", "client::Client"],
        why: "of the credentials, only a session has a clock and asks, and files.rs waits for a thread that reads: what they \
              say and decide is pure",
    },
    Rule {
        folders: PURE,
        except: PURE_EXCEPT,
        forbidden: &["crate::kafka", "crate::worker", "crate::http", "crate::cli", "crate::simulator"],
        why: "dependencies point inwards: the pure parts know none of those who call them",
    },
    Rule {
        folders: &[""],
        except: &["kafka", "kafka.rs"],
        forbidden: &["rdkafka"],
        why: "src/kafka is the only folder that names rdkafka",
    },
    Rule {
        folders: &[""],
        except: &["kafka/authorized_operations.rs", "kafka/native.rs"],
        forbidden: &["unsafe", "unsafe_code", "rdkafka::bindings"],
        why: "src/kafka/authorized_operations.rs (docs/adr/0028) and native.rs (0020) are the only files with unsafe code",
    },
    Rule {
        folders: &["kafka"],
        except: &[],
        forbidden: &["crate::okta", "crate::worker", "crate::http", "crate::cli", "crate::simulator"],
        why: "kafka and okta never know each other, nor their callers",
    },
    Rule {
        folders: &["kafka"],
        except: &["kafka/token/endpoint.rs"],
        forbidden: &["reqwest"],
        why: "HTTP in kafka is the token endpoint alone",
    },
    Rule {
        folders: &[""],
        except: &["kafka/certificate.rs", "okta/auth/crypto.rs", "simulator/oauth"],
        forbidden: &["openssl"],
        why: "OpenSSL is librdkafka's: it is named to look at a broker's certificate, for the keys and signatures of JSON \
              Web Tokens (docs/adr/0033), and where the simulated org checks them with code of its own (docs/adr/0035)",
    },
    Rule {
        folders: &["okta"],
        except: &[],
        forbidden: &["crate::kafka", "crate::worker", "crate::http", "crate::cli", "crate::simulator"],
        why: "kafka and okta never know each other, nor their callers",
    },
    Rule {
        folders: &["registry"],
        except: &[],
        forbidden: &["crate::kafka", "crate::worker", "crate::http", "crate::cli", "crate::simulator", "rdkafka"],
        why: "the registry gives an id, and knows none of those who need it",
    },
    Rule {
        folders: &["registry/schema.rs", "registry/answer.rs", "registry/error.rs"],
        except: &[],
        forbidden: &["tokio", "reqwest", "std::fs", "std::env", "crate::clock"],
        why: "what an answer or a schema means is pure: only request.rs asks",
    },
    Rule {
        folders: &[""],
        except: &["email", "query/email/letter.rs"],
        forbidden: &["lettre"],
        why: "mail is written in query/email/letter.rs and sent in email (docs/adr/0060), and the file is read without a library",
    },
    Rule {
        folders: &["simulator"],
        except: &[],
        forbidden: &["crate::okta", "crate::source", "crate::offsets", "crate::kafka", "crate::worker", "crate::cli"],
        why: "the simulated org shares no code with what it tests: a mistake must not be made twice and cancel out",
    },
];

/// The hard end of a file's length, in lines.
const MAX_LINES: usize = 500;

#[test]
fn no_folder_names_what_its_layer_may_not() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files("src");
    let mut violations = Vec::new();
    for rule in RULES {
        let mut covered = 0;
        for (path, file) in files.iter().map(|path| (path, path.strip_prefix(&sources).unwrap())) {
            if !rule.covers(file) {
                continue;
            }
            covered += 1;
            let source = fs::read_to_string(path).unwrap();
            for (line, name) in rust_paths::named(&source, rule.forbidden) {
                violations.push(format!("src/{}:{line} names `{name}`: {}", file.display(), rule.why));
            }
        }
        assert!(covered > 0, "no file is under {:?}: the rule guards nothing", rule.folders);
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut violations = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in rust_files(folder) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > MAX_LINES {
                violations.push(format!("{} has {lines} lines", file.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

impl Rule {
    /// `file` is a path below `src/`. Files of tests may use what they like.
    fn covers(&self, file: &Path) -> bool {
        let under = |folders: &[&str]| folders.iter().any(|folder| file.starts_with(folder));
        let of_tests = file.components().any(|part| {
            let name = part.as_os_str().to_string_lossy();
            let name = name.trim_end_matches(".rs");
            name == "tests" || name.ends_with("_tests")
        });
        under(self.folders) && !under(self.except) && !of_tests
    }
}
