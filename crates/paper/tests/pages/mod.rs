//! PDFs of one page, 200 points square, made for a test.
#![allow(dead_code, reason = "no test uses all of it")]

/// A page to be.
pub struct Page {
    drawing: String,
    encoded: Option<(String, Vec<u8>)>,
    form: (String, Vec<u8>),
    note: String,
    catalog: String,
    trailer: String,
}

/// A page on which this is drawn, with the font `F`, the pictures `Black` and `Scan`, the drawing `Form`, and some ways of painting.
pub fn page(drawing: &str) -> Page {
    Page {
        drawing: drawing.to_owned(),
        encoded: None,
        form: (String::new(), Vec::new()),
        note: String::new(),
        catalog: String::new(),
        trailer: String::new(),
    }
}

impl Page {
    pub fn before(mut self, drawing: &str) -> Self {
        self.drawing.insert_str(0, drawing);
        self
    }

    pub fn after(mut self, drawing: &str) -> Self {
        self.drawing.push_str(drawing);
        self
    }

    /// Drawn by these data instead, with this in their stream's dictionary.
    pub fn encoded(mut self, dict: &str, data: &[u8]) -> Self {
        self.encoded = Some((dict.to_owned(), data.to_vec()));
        self
    }

    /// With these data as the drawing `Form`, and this in their stream's dictionary.
    pub fn form(mut self, dict: &str, data: &[u8]) -> Self {
        self.form = (dict.to_owned(), data.to_vec());
        self
    }

    /// With a note on it.
    pub fn note(mut self, note: &str) -> Self {
        self.note = format!("<</Type/Annot{note}>>");
        self
    }

    /// With more in the document's catalog.
    pub fn catalog(mut self, more: &str) -> Self {
        self.catalog = more.to_owned();
        self
    }

    /// With more in its trailer.
    pub fn trailer(mut self, more: &str) -> Self {
        self.trailer = more.to_owned();
        self
    }

    pub fn pdf(&self) -> Vec<u8> {
        let stream = |dict: &str, data: &[u8]| {
            let mut object = format!("<<{dict}/Length {}>>stream\n", data.len()).into_bytes();
            object.extend_from_slice(data);
            object.extend_from_slice(b"\nendstream");
            object
        };
        let picture = |width: usize, height: usize, data: &[u8]| {
            let dict = format!(
                "/Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceGray/BitsPerComponent 8"
            );
            stream(&dict, data)
        };
        let resources = "<</Font<</F 5 0 R>>/XObject<</Black 6 0 R/Scan 9 0 R/Form 11 0 R>>\
            /Shading<</Shade<</ShadingType 2/ColorSpace/DeviceGray/Coords[0 0 200 0]/Extend[true true]\
            /Function<</FunctionType 2/Domain[0 1]/C0[0]/C1[0.4]/N 1>>>>>>\
            /Pattern<</Hatch 10 0 R>>\
            /ExtGState<</Multiply<</BM/Multiply>>/Half<</ca 0.5>>/Clear<</ca 0>>>>>>";
        let objects: Vec<Vec<u8>> = vec![
            format!("<</Type/Catalog/Pages 2 0 R{}>>", self.catalog).into_bytes(),
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
            format!(
                "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources{resources}/Annots[{}]>>",
                self.note
            )
            .into_bytes(),
            match &self.encoded {
                Some((dict, data)) => stream(dict, data),
                None => stream("", self.drawing.as_bytes()),
            },
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_vec(),
            picture(1, 1, &[0]),
            stream("/Type/XObject/Subtype/Form/BBox[0 0 60 16]", b"0 g 0 0 60 16 re f"),
            b"<</Type/OCG/Name(layer)>>".to_vec(),
            picture(200, 200, &scan()),
            stream(
                "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 8 8]/XStep 8/YStep 8/Resources<<>>",
                b"0 g 0 0 4 4 re f",
            ),
            stream(
                &format!("/Type/XObject/Subtype/Form/BBox[0 0 200 200]{}", self.form.0),
                &self.form.1,
            ),
        ];
        let mut pdf = b"%PDF-1.7\n".to_vec();
        let mut places = Vec::new();
        for (at, object) in objects.iter().enumerate() {
            places.push(pdf.len());
            pdf.extend(format!("{} 0 obj\n", at + 1).into_bytes());
            pdf.extend_from_slice(object);
            pdf.extend_from_slice(b"\nendobj\n");
        }
        let table = pdf.len();
        pdf.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).into_bytes());
        for place in places {
            pdf.extend(format!("{place:010} 00000 n \n").into_bytes());
        }
        let end = format!(
            "trailer<</Size {}/Root 1 0 R{}>>\nstartxref\n{table}\n%%EOF\n",
            objects.len() + 1,
            self.trailer
        );
        pdf.extend(end.into_bytes());
        pdf
    }
}

/// A scan of a page: strokes as of letters from 18 to 32 points above its foot, a black box from 55 to 75, and paper.
fn scan() -> Vec<u8> {
    let mut dots = vec![255; 200 * 200];
    for (at, dot) in dots.iter_mut().enumerate() {
        let (x, y) = (at % 200, 199 - at / 200);
        let stroke = (18..32).contains(&y) && (10..120).contains(&x) && (x / 2 + y / 3) % 3 == 0;
        let boxed = (55..75).contains(&y) && (20..120).contains(&x);
        if stroke || boxed {
            *dot = 0;
        }
    }
    dots
}
