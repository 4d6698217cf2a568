"""Campaigns that run unattended, by the clock."""
