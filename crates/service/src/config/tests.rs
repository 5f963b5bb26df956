use super::*;

const GOOD: &str = r#"
schema = "amparo.config/1"
provider = "Example Cloud"
[s3]
listen = "127.0.0.1:9000"
[api]
listen = "127.0.0.1:9001"
[docket]
origin = "example.org/docket"
interval_ms = 600000
batch = 8
[[region]]
id = "eu-de"
country = "DE"
"#;

fn read(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("amparo.toml");
    std::fs::write(&path, text).unwrap();
    Config::read(&path)
}

#[test]
fn a_good_file_reads() {
    assert_eq!(read(GOOD).unwrap().regions.len(), 1);
}

#[test]
fn a_region_says_where_its_bodies_lie() {
    let text = format!(
        "{GOOD}store = {{ url = \"s3://box/eu\", endpoint = \"http://127.0.0.1:9\", credentials = \"keys/s3\" }}\n\
         [[region]]\nid = \"us-east\"\ncountry = \"US\"\nstore = \"disk\"\n"
    );
    let config = read(&text).unwrap();
    let [eu, us] = config.regions.as_slice() else {
        panic!("two regions");
    };
    let Store::At(location) = &eu.store else {
        panic!("a location");
    };
    assert_eq!(location.url, "s3://box/eu");
    assert_eq!(us.store, Store::Disk);
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<Config>(&written).unwrap(), config);
    for (from, to, says) in [
        ("s3://box/eu", "ftp://box/eu", "eu-de"),
        ("http://127.0.0.1:9", "http://192.0.2.1:9", "eu-de"),
        ("credentials =", "secret =", "secret"),
        ("\"disk\"", "\"tape\"", "disk"),
        (
            "\"disk\"",
            "{ url = \"s3://box/eu/\", endpoint = \"http://127.0.0.1:9\" }",
            "region.store",
        ),
    ] {
        let error = read(&text.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn p02_nothing_is_served_unencrypted_beyond_this_machine() {
    for (from, to, says) in [
        ("127.0.0.1:9000", "0.0.0.0:9000", "s3.listen"),
        ("127.0.0.1:9000", "[::]:9000", "s3.listen"),
        ("127.0.0.1:9001", "[2001:db8::1]:9001", "api.listen"),
        ("127.0.0.1:9001", "127.0.0.1:9000", "api.listen"),
    ] {
        let error = read(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let tls = "0.0.0.0:9000\"\ntls = { certificate = \"s3.pem\", key = \"s3.key\" }\n#\"";
    let config = read(&GOOD.replace("127.0.0.1:9000\"", tls)).unwrap();
    assert_eq!((config.s3.scheme(), config.api.scheme()), ("https", "http"));
}

#[test]
fn what_cannot_stand_is_refused_and_named() {
    for (from, to, says) in [
        ("provider =", "provder =", "provder"),
        ("batch = 8", "batch = 0", "docket.batch"),
        ("batch = 8", "batch = 4097", "docket.batch"),
        ("interval_ms = 600000", "interval_ms = 5", "docket.interval_ms"),
        ("example.org/docket", "example org", "docket.origin"),
        ("country = \"DE\"", "country = \"Germany\"", "country code"),
        (
            "[[region]]",
            "[[region]]\nid = \"eu-de\"\ncountry = \"DE\"\n[[region]]",
            "same id",
        ),
        ("amparo.config/1", "amparo.config/9", "amparo.config/9"),
    ] {
        let error = read(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
