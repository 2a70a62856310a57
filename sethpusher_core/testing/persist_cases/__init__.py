"""The cases for persisters: what the hook ``persist`` promises, part by part."""
