-- Digests of sealed bodies are BLAKE3 from here on. Those of before are forgotten: null says that none was kept, and a scrub then
-- looks whether a body is there and as long as it should be.

UPDATE part SET sealed_digest = NULL WHERE sealed_digest IS NOT NULL;
UPDATE inline SET digest = NULL WHERE digest IS NOT NULL;
