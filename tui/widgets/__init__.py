"""Widgets of the app; each draws itself and knows no other."""
