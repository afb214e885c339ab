"""The script that `streamlit run` executes, anew at every interaction."""

from ui.page import page

page()
