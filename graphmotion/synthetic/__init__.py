from graphmotion.synthetic.action_styles import draw_performances
from graphmotion.synthetic.actor import act
from graphmotion.synthetic.camera import Camera
from graphmotion.synthetic.face_renderer import draw_faces
from graphmotion.synthetic.walker import walk
from graphmotion.synthetic.walking_styles import draw_walks

__all__ = [
    'Camera',
    'act',
    'draw_faces',
    'draw_performances',
    'draw_walks',
    'walk',
]
