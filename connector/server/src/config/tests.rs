use super::*;
use std::fs;

fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twinlink.toml");
    fs::write(&path, text).unwrap();
    Config::load(&path)
}

fn rendered() -> String {
    let participant = NamedNode::new("https://city.example/").unwrap();
    let dataset = NamedNode::new("https://city.example/twin").unwrap();
    render(
        &participant,
        &dataset,
        "127.0.0.1:7443",
        "https://localhost:7443",
    )
}

#[test]
fn what_init_writes_is_valid() {
    let config = load(&rendered()).unwrap();
    assert_eq!(config.participant.as_str(), "https://city.example/");
    assert_eq!(config.limits, Limits::default());
    // A folder that is missing is more likely misspelt than meant to be empty.
    for missing in [config.peers().err(), config.policy_files().err()] {
        let text = missing.unwrap().to_string();
        assert!(text.contains("which is no folder"), "{text}");
    }
}

#[test]
fn memory_of_all_is_half_of_the_machines_or_what_is_said() {
    let limits = |text: &str| load(&format!("{}\n[limits]\n{text}\n", rendered()));
    let half = machine_memory().map_or(1 << 30, |all| all / 2);
    assert_eq!(limits("").unwrap().memory_total, half);
    let said = limits("memory_bytes = 67108864\nmemory_total_bytes = 67108864").unwrap();
    assert_eq!(said.memory_total, 64 << 20);
    for text in [
        "memory_total_bytes = 1000",
        "memory_bytes = 67108865\nmemory_total_bytes = 67108864",
    ] {
        let error = limits(text).unwrap_err().to_string();
        assert!(error.contains("`limits.memory_total_bytes`"), "{error}");
    }
}

#[test]
fn unknown_keys_are_refused_with_their_place() {
    let error = load(&format!("{}\n[limit]\nrows = 1\n", rendered())).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("limit") && text.contains("line"), "{text}");
}

#[test]
fn faults_have_a_place_and_show_nothing_of_the_file() {
    for (text, said) in [
        ("version = 1\nparticipant", "line 2, column"),
        ("0af3c2d1", "line 1, column"),
        ("version = 1", "missing field"),
        ("version = 1\nä = 1", "line 2, column 1"),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert!(
            !error.contains("0af3c2d1") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[test]
fn wrong_values_name_their_key() {
    for (from, to, key) in [
        ("version = 1", "version = 2", "version"),
        ("https://city.example/\"", "city\"", "participant"),
        ("https://city.example/\"", "https:///x\"", "participant"),
        ("127.0.0.1:7443", "localhost", "listen"),
        ("https://localhost:7443", "localhost:7443", "public_url"),
    ] {
        let error = load(&rendered().replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
    }
}
