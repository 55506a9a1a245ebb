"""Design of an ad: layout, colours, typography, cropping and rendering."""
