use super::*;

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
    assert!(config.peers().unwrap().is_empty());
}

#[test]
fn unknown_keys_are_refused_with_their_place() {
    let error = load(&format!("{}\n[limit]\nrows = 1\n", rendered())).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("limit") && text.contains("line"), "{text}");
}

#[test]
fn wrong_values_name_their_key() {
    for (from, to, key) in [
        ("version = 1", "version = 2", "version"),
        ("https://city.example/\"", "city\"", "participant"),
        ("127.0.0.1:7443", "localhost", "listen"),
        ("https://localhost:7443", "localhost:7443", "public_url"),
    ] {
        let error = load(&rendered().replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
    }
}
