"""One file per vendor dialect, found by its name; a vendor that speaks OpenAI's dialect is a row in `openai_vendors.py`."""
