from graphmotion.synthetic.action_styles import sample_performances
from graphmotion.synthetic.actor import simulate_action
from graphmotion.synthetic.camera import Camera
from graphmotion.synthetic.face_renderer import render_faces
from graphmotion.synthetic.face_styles import sample_face_styles
from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import sample_walks

__all__ = [
    'Camera',
    'render_faces',
    'sample_face_styles',
    'sample_performances',
    'sample_walks',
    'simulate_action',
    'simulate_walk',
]
