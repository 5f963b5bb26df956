//! JSON as it comes from outside: bounded in bytes, depth and number of values, and no key twice in one object.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest message, in bytes: what one demand's bytes may be.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting of objects and lists. A whole object of the standard needs 14.
pub const DEPTH_MAX: usize = 32;
/// Most values in one message, lists, objects and their members counted.
pub const VALUES_MAX: usize = 100_000;

/// Reads one document; or says what is wrong with it, in words that quote none of its values.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > BYTES_MAX {
        return Err(format!("it is larger than {BYTES_MAX} bytes"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err("it starts with a byte order mark".to_owned());
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 after byte {}", error.valid_up_to()))?;
    let mut left = VALUES_MAX;
    let mut why = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Bounded {
        depth: DEPTH_MAX,
        left: &mut left,
        why: &mut why,
    };
    let read = seed
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let reason = why.unwrap_or_else(|| {
            let full = error.to_string();
            let short = full
                .rsplit_once(" at line ")
                .map_or(full.as_str(), |(short, _)| short);
            format!("it is not JSON: {short}")
        });
        format!("{reason}, at line {line}, column {column}")
    })
}

struct Bounded<'a> {
    depth: usize,
    left: &'a mut usize,
    why: &'a mut Option<String>,
}

impl Bounded<'_> {
    fn refuse<E: de::Error>(&mut self, why: String) -> E {
        *self.why = Some(why);
        E::custom("refused")
    }

    fn deeper<E: de::Error>(&mut self) -> Result<Bounded<'_>, E> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(self.refuse(format!("it is nested deeper than {DEPTH_MAX}")));
        };
        Ok(Bounded {
            depth,
            left: self.left,
            why: self.why,
        })
    }

    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        match self.left.checked_sub(1) {
            Some(left) => {
                *self.left = left;
                Ok(())
            }
            None => Err(self.refuse(format!("it holds more than {VALUES_MAX} values"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;
    fn deserialize<D: de::Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.count::<D::Error>()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let inner = self.deeper::<A::Error>()?;
            match seq.next_element_seed(inner)? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                let key: String = key.chars().take(64).collect();
                return Err(self.refuse(format!("key `{key}` stands twice in one object")));
            }
            let value = map.next_value_seed(self.deeper::<A::Error>()?)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_names() {
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        assert!(read(deep.as_bytes()).unwrap_err().contains("nested deeper"));
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
        assert!(read(many.as_bytes()).unwrap_err().contains("values"));
        let long = vec![b' '; BYTES_MAX + 1];
        assert!(read(&long).unwrap_err().contains("larger"));
        assert!(
            read(b"{\"a\":1,\"a\":2}")
                .unwrap_err()
                .contains("`a` stands twice")
        );
        assert!(read(b"\xef\xbb\xbf{}").unwrap_err().contains("byte order mark"));
        assert!(read(b"\"\xff\"").unwrap_err().contains("UTF-8"));
        assert!(read(b"{} {}").unwrap_err().contains("not JSON"));
        assert_eq!(read(b"{\"a\":[1,-2,1.5,true,null,\"x\"]}").unwrap()["a"][1], -2);
    }
}
