from graphmotion.synthetic.action_styles import sample_performances
from graphmotion.synthetic.actor import simulate_action
from graphmotion.synthetic.camera import Camera
from graphmotion.synthetic.face_renderer import draw_faces
from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import sample_walks

__all__ = [
    'Camera',
    'draw_faces',
    'sample_performances',
    'sample_walks',
    'simulate_action',
    'simulate_walk',
]
