"""Stage, pack, sign, check and call Dify plugin packages as the plugin daemon would."""
