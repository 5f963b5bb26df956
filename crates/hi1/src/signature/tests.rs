use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use serde_json::json;

use super::*;

const NOW: &str = "2026-11-02T09:00:00Z";

fn always() -> (Timestamp, Timestamp) {
    (
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2027-01-01T00:00:00Z".parse().unwrap(),
    )
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// The examples of RFC 7515 (A.2, A.3, A.4) and of RFC 8037 (A.4).
#[test]
fn the_examples_of_the_rfcs_verify() {
    let rsa = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    let p256 = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let p521 = r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
    let ed = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let joe =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let examples = [
        (
            Algorithm::RS256,
            rsa,
            format!("eyJhbGciOiJSUzI1NiJ9.{joe}"),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::ES256,
            p256,
            format!("eyJhbGciOiJFUzI1NiJ9.{joe}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            Algorithm::ES512,
            p521,
            "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA".to_owned(),
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        ),
        (
            Algorithm::EdDSA,
            ed,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];
    for (algorithm, jwk, signed, signature) in examples {
        let key = Key::from_jwk("k", algorithm, always(), jwk.as_bytes()).unwrap();
        let mut signature = BASE64.decode(signature).unwrap();
        assert!(key.verifies(signed.as_bytes(), &signature), "{algorithm}");
        assert!(
            !key.verifies(format!("{signed}A").as_bytes(), &signature),
            "{algorithm}"
        );
        signature[9] ^= 1;
        assert!(!key.verifies(signed.as_bytes(), &signature), "{algorithm}");
        // Nor is it taken for any other algorithm.
        for other in [
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::ES512,
            Algorithm::PS256,
            Algorithm::EdDSA,
        ] {
            let taken = Key::from_jwk("k", other, always(), jwk.as_bytes());
            let same_kind = algorithm == other || (algorithm, other) == (Algorithm::RS256, Algorithm::PS256);
            assert_eq!(taken.is_ok(), same_kind, "{algorithm} as {other}");
        }
    }
}

struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }
    fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])})
    }
    fn key(&self, id: &str) -> Key {
        Key::from_jwk(id, Algorithm::ES256, always(), self.jwk().to_string().as_bytes()).unwrap()
    }
    fn sign(&self, signed: &str) -> Vec<u8> {
        self.0
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap()
            .as_ref()
            .to_vec()
    }
    /// A message with a gap at `%P` and one at `%S`, signed as it then is.
    fn fill(&self, form: &str, header: &Value) -> String {
        let protected = BASE64.encode(header.to_string());
        let payload = form.replace("%P", "").replace("%S", "");
        let signature = self.sign(&format!("{protected}.{}", BASE64.encode(payload)));
        form.replace("%P", &protected)
            .replace("%S", &BASE64.encode(signature))
    }
}

const FORM: &str = r#"{ "Header" : {"Signature": {"protected":"x","signature":"y"}},
  "Payload":["Signature",{"protected":"\"}"}], "Signature":{"protected":"%P" , "signature":"%S"}, "@z":"protected" }
"#;

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k-1"})
}

#[test]
fn a_message_is_verified_byte_for_byte_and_against_its_own_key_alone() {
    let (signer, other) = (Signer::new(), Signer::new());
    let keys = [other.key("k-0"), signer.key("k-1")];
    let message = signer.fill(FORM, &header());
    let verified = verify(message.as_bytes(), &keys, now()).unwrap();
    assert_eq!((verified.key(), verified.algorithm()), ("k-1", Algorithm::ES256));
    assert_eq!(verified.key_sha256(), signer.key("other").sha256());
    assert_eq!(
        verified.message_sha256(),
        <[u8; 32]>::from(sha2::Sha256::digest(&message))
    );
    // The other order of the two, and no space at all.
    let turned = signer.fill(
        r#"{"Signature":{"signature":"%S","protected":"%P"},"Payload":0}"#,
        &header(),
    );
    verify(turned.as_bytes(), &keys, now()).unwrap();

    let says = |message: &str, keys: &[Key], at: Timestamp, code: Code, what: &str| {
        let failure = verify(message.as_bytes(), keys, at).unwrap_err();
        assert!(
            failure.is(code) && failure.description.contains(what),
            "{failure:?} for {message}"
        );
    };
    let refused = |message: &str, code: Code, what: &str| says(message, &keys, now(), code, what);
    // Any byte altered, one space more, another's signature.
    for (from, to) in [
        ("\"@z\"", "\"@y\""),
        ("\" }", "\"}"),
        ("\"x\"", "\"z\""),
        ("\n ", " "),
    ] {
        refused(&message.replacen(from, to, 1), Code::Improper, "altered");
    }
    refused(
        &other.fill(FORM, &header()),
        Code::Improper,
        "not one of the key `k-1`",
    );
    refused(
        &other.fill(FORM, &json!({"alg": "ES256", "kid": "k-7"})),
        Code::NotSupported,
        "`k-7`, which is not known",
    );
    refused(
        &signer.fill(FORM, &json!({"alg": "ES256"})),
        Code::NotSupported,
        "`(not named)`",
    );
    says(
        &message,
        &[],
        now(),
        Code::NotSupported,
        "`k-1`, which is not known",
    );
    says(
        &message,
        &keys,
        "2027-01-01T00:00:00Z".parse().unwrap(),
        Code::Improper,
        "and not now",
    );
    says(
        &message,
        &keys,
        "2025-12-31T23:59:59Z".parse().unwrap(),
        Code::Improper,
        "and not now",
    );
    // Algorithms: none, shared secrets, and those of other keys.
    for named in ["none", "HS256", "RS256", "ES384", "", "es256"] {
        refused(
            &signer.fill(FORM, &json!({"alg": named, "kid": "k-1"})),
            Code::Improper,
            "is agreed for ES256 alone",
        );
    }
    refused(
        &signer.fill(FORM, &json!({"kid": "k-1"})),
        Code::Improper,
        "ES256 alone",
    );
    // Extensions, and keys that it brings.
    for (name, value, code) in [
        ("crit", json!(["exp"]), Code::NotSupported),
        ("crit", json!([]), Code::NotSupported),
        ("b64", json!(false), Code::NotSupported),
        ("jwk", signer.jwk(), Code::Improper),
        ("jku", json!("https://keys.example"), Code::Improper),
        ("x5u", json!("https://keys.example"), Code::Improper),
    ] {
        let mut with = header();
        with[name] = value;
        refused(&signer.fill(FORM, &with), code, &format!("`{name}`"));
    }
    // What is only named is passed over, as RFC 7515 has it.
    let told = json!({"alg": "ES256", "kid": "k-1", "typ": "JOSE", "x5t#S256": "AA"});
    verify(signer.fill(FORM, &told).as_bytes(), &keys, now()).unwrap();
}

#[test]
fn what_is_no_plain_jws_is_refused() {
    let signer = Signer::new();
    let keys = [signer.key("k-1")];
    let refused = |message: &str, code: Code| {
        let failure = verify(message.as_bytes(), &keys, now()).unwrap_err();
        assert!(failure.is(code), "{failure:?} for {message}");
    };
    let good = signer.fill(FORM, &header());
    // Members beside the two: a payload of its own, a header that is not protected; keys twice.
    for beside in [r#""payload":"e30""#, r#""header":{"kid":"k-1"}"#] {
        let form = FORM.replace("\"signature\":\"%S\"", &format!("\"signature\":\"%S\",{beside}"));
        refused(&signer.fill(&form, &header()), Code::Improper);
    }
    refused(&good.replace("\"@z\"", "\"Signature\":{},\"@z\""), Code::Improper);
    refused(r#"{"Signature":"x"}"#, Code::Improper);
    refused(r#"{"Signature":{"protected":1,"signature":"x"}}"#, Code::Improper);
    refused(
        r#"{"Signatures":[{"hash_algorithm":"a","algorithm":"b","value":"c"}]}"#,
        Code::NotSupported,
    );
    refused(
        &good.replace("\"@z\"", "\"Signatures\":[],\"@z\""),
        Code::NotSupported,
    );
    // A header with a key twice, of another alphabet, padded, or with loose ends.
    let twice = BASE64.encode(r#"{"alg":"ES256","kid":"k-0","kid":"k-1"}"#);
    let signature = BASE64.encode(signer.sign(&format!(
        "{twice}.{}",
        BASE64.encode(FORM.replace("%P", "").replace("%S", ""))
    )));
    refused(
        &FORM.replace("%P", &twice).replace("%S", &signature),
        Code::Improper,
    );
    let protected = BASE64.encode(header().to_string());
    refused(
        &good.replace(&protected, &format!("{protected}=")),
        Code::Improper,
    );
    refused(&good.replace(&protected, "!!"), Code::Improper);
    // Written with an escape, the same text is another.
    let escaped = format!("\\u00{:02x}{}", protected.as_bytes()[0], &protected[1..]);
    refused(&good.replace(&protected, &escaped), Code::Improper);
    refused(
        &good.replace(
            "\"Signature\":{\"protected\":\"e",
            "\"Signatur\\u0065\":{\"protected\":\"e",
        ),
        Code::Improper,
    );
    // Too large.
    refused(
        &good.replace(&protected, &"A".repeat(HEADER_BYTES_MAX + 1)),
        Code::Improper,
    );
    refused(
        &FORM
            .replace("%P", &protected)
            .replace("%S", &"A".repeat(SIGNATURE_BYTES_MAX + 1)),
        Code::Improper,
    );
    refused(&FORM.replace("%P", &protected).replace("%S", ""), Code::Improper);
    refused("not JSON", Code::Improper);
}

#[test]
fn a_key_is_public_strong_and_for_its_algorithm() {
    let signer = Signer::new();
    let with = |name: &str, value: Value| {
        let mut jwk = signer.jwk();
        jwk[name] = value;
        Key::from_jwk("k-1", Algorithm::ES256, always(), jwk.to_string().as_bytes())
    };
    for (name, value) in [
        ("kid", json!("k-1")),
        ("use", json!("sig")),
        ("key_ops", json!(["verify"])),
        ("alg", json!("ES256")),
    ] {
        with(name, value).unwrap();
    }
    for (name, value) in [
        ("d", json!("AA")),
        ("k", json!("AA")),
        ("kid", json!("k-2")),
        ("kid", json!(1)),
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("HS256")),
        ("kty", json!("oct")),
        ("crv", json!("P-384")),
        ("x", json!("AA")),
        ("y", signer.jwk()["x"].clone()),
    ] {
        assert!(with(name, value.clone()).is_err(), "{name}: {value}");
    }
    assert!(
        Key::from_jwk(
            "",
            Algorithm::ES256,
            always(),
            signer.jwk().to_string().as_bytes()
        )
        .is_err()
    );
    let (from, until) = always();
    assert!(
        Key::from_jwk(
            "k",
            Algorithm::ES256,
            (until, from),
            signer.jwk().to_string().as_bytes()
        )
        .is_err()
    );
    // RSA of 1024 bits, as a JWK and as it is in PEM.
    let short = r#"{"kty":"RSA","e":"AQAB","n":"%"}"#.replace('%', &BASE64.encode([0xc5_u8; 128]));
    assert!(Key::from_jwk("k", Algorithm::PS256, always(), short.as_bytes()).is_err());
    // The same key by both ways is the same.
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: PublicKeyDer = aws_lc_rs::encoding::AsDer::as_der(pair.public_key()).unwrap();
    let key = Key::from_spki("k-1", Algorithm::PS256, always(), der.as_ref()).unwrap();
    assert_eq!(key.sha256(), <[u8; 32]>::from(sha2::Sha256::digest(der.as_ref())));
    assert!(Key::from_spki("k-1", Algorithm::ES256, always(), der.as_ref()).is_err());
    assert!(Key::from_spki("k-1", Algorithm::ES256, always(), signer.0.public_key().as_ref()).is_err());
    // A signature of the other padding is none.
    let protected = BASE64.encode(json!({"alg": "PS256", "kid": "k-1"}).to_string());
    let signed = format!(
        "{protected}.{}",
        BASE64.encode(FORM.replace("%P", "").replace("%S", ""))
    );
    for (padding, stands) in [(&RSA_PSS_SHA256, true), (&RSA_PKCS1_SHA256, false)] {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .unwrap();
        let message = FORM
            .replace("%P", &protected)
            .replace("%S", &BASE64.encode(signature));
        assert_eq!(
            verify(message.as_bytes(), std::slice::from_ref(&key), now()).is_ok(),
            stands
        );
    }
    // Ed25519, by either name.
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(pair.public_key())});
    let key = Key::from_jwk("k-1", Algorithm::EdDSA, always(), jwk.to_string().as_bytes()).unwrap();
    for named in ["EdDSA", "Ed25519"] {
        let protected = BASE64.encode(json!({"alg": named, "kid": "k-1"}).to_string());
        let signed = format!(
            "{protected}.{}",
            BASE64.encode(FORM.replace("%P", "").replace("%S", ""))
        );
        let message = FORM
            .replace("%P", &protected)
            .replace("%S", &BASE64.encode(pair.sign(signed.as_bytes())));
        verify(message.as_bytes(), std::slice::from_ref(&key), now()).unwrap();
    }
}

type PublicKeyDer = aws_lc_rs::encoding::PublicKeyX509Der<'static>;
