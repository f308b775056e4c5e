"""deployctl.toml, `DEPLOYCTL_*` and flags, made into one `Settings`.

- `find`: which file, and its text
- `document`: that text as TOML, and the position of each key in it (`toml_positions`)
- `environment`: the values of variables and flags
- `schema`: the allowed keys and values (pydantic, imported only to read a file); `aws_names`: AWS's rules for names
- `validate`: finds every invalid value, as `problems`
- `load`: does all of this in order
- `settings`, `provenance`: what other packages use
"""
