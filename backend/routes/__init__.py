"""The REST API, one file for each group of routes; `backend/app.py` includes their routers."""
