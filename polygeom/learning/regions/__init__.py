"""Activation regions, their boundaries, and gradient confusion."""
