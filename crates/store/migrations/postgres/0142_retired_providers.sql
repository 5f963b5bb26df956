-- Key providers whose key was destroyed for good, or is about to be: nothing is wrapped under it any more, and nothing will be.
CREATE TABLE retired_provider (
  provider   TEXT COLLATE "C" PRIMARY KEY,
  -- Microseconds since 1970, UTC.
  retired_at BIGINT NOT NULL,
  -- The statement about its destruction, canonical JSON, once the provider answered; the docket commits to it.
  statement  BYTEA
);
CREATE FUNCTION retired_provider_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.statement IS NOT NULL THEN
        RAISE EXCEPTION 'a destroyed provider stays retired, and so does the statement about it';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER retired_provider_stays BEFORE UPDATE OR DELETE ON retired_provider
FOR EACH ROW EXECUTE FUNCTION retired_provider_stays();
